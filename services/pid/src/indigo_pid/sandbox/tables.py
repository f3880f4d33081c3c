"""The sandbox's one table."""

from __future__ import annotations

import sqlalchemy as sa
from indigo_kernel.db.tables import Instant
from sqlalchemy.dialects.postgresql import JSONB


def sandbox_tables(metadata: sa.MetaData) -> sa.Table:
    """Add ``sandbox_dois`` to ``metadata``."""
    return sa.Table(
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
