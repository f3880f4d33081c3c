"""The tables of the sandboxes."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from indigo_kernel.db.tables import Instant
from sqlalchemy.dialects.postgresql import JSONB


@dataclass(frozen=True, slots=True)
class SandboxTables:
    """What DataCite's sandbox keeps (``dois``), and Crossref's (``submissions``, ``works``)."""

    dois: sa.Table
    submissions: sa.Table
    works: sa.Table


def sandbox_tables(metadata: sa.MetaData) -> SandboxTables:
    """Add the tables to ``metadata``."""
    dois = sa.Table(
        "sandbox_dois",
        metadata,
        sa.Column("doi", sa.Text, primary_key=True, comment="lower case"),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attributes", JSONB, nullable=False, comment="what clients wrote"),
        sa.Column("metadata_version", sa.BigInteger, nullable=False),
        sa.Column("created", Instant, nullable=False),
        sa.Column("registered", Instant, comment="when the handle was written first"),
        sa.Column("updated", Instant, nullable=False),
        sa.Index("ix_sandbox_dois_created", "created", "doi"),
        sa.Index("ix_sandbox_dois_state", "state"),
    )
    submissions = sa.Table(
        "sandbox_submissions",
        metadata,
        sa.Column("id", sa.BigInteger, sa.Identity(always=False), primary_key=True),
        sa.Column("file_name", sa.Text, nullable=False),
        sa.Column("contents", sa.LargeBinary, nullable=False),
        sa.Column("polls", sa.BigInteger, nullable=False, comment="how often its result was asked for"),
        sa.Column("result", sa.Text, comment="the report, once it is processed"),
        sa.Index("ix_sandbox_submissions_file_name", "file_name", "id"),
    )
    works = sa.Table(
        "sandbox_works",
        metadata,
        sa.Column("doi", sa.Text, primary_key=True, comment="lower case"),
        sa.Column("timestamp", sa.Numeric, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("deposits", sa.BigInteger, nullable=False, comment="how often it was written"),
        sa.Column("deposited", Instant, nullable=False),
    )
    return SandboxTables(dois, submissions, works)
