"""The tables of this service."""

from __future__ import annotations

import sqlalchemy as sa
from indigo_kernel.db.tables import NAMING, Instant, kernel_tables
from sqlalchemy.dialects.postgresql import JSONB

from indigo_pid.sandbox.tables import sandbox_tables

metadata = sa.MetaData(naming_convention=NAMING)
kernel_tables(metadata)
sandbox_tables(metadata)

_Key = sa.Text(collation="C")
"""Compared byte by byte: quickly, and one index finds a name and all names that begin the same."""

identifiers = sa.Table(
    "identifiers",
    metadata,
    sa.Column("handle", sa.Text, primary_key=True, comment="as it is shown"),
    sa.Column("handle_key", _Key, nullable=False, unique=True, comment="as it is compared"),
    sa.Column("ark", sa.Text),
    sa.Column("ark_key", _Key, unique=True),
    sa.Column("doi", sa.Text, unique=True, comment="lower case, as it is compared"),
    sa.Column("resolver_url", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.Text),
    sa.Column("target", sa.Text),
    sa.Column("metadata", JSONB(none_as_null=True), comment="what a client brought"),
    sa.Column("owner_iss", sa.Text),
    sa.Column("owner_sub", sa.Text),
    sa.Column("record_id", sa.Text, unique=True, comment="at most one identifier for a record"),
    sa.Column("record", JSONB(none_as_null=True), comment="the record as it was heard last"),
    sa.Column("plan_id", sa.Text),
    sa.Column("previous_record_id", sa.Text),
    sa.Column("reason", sa.Text),
    sa.Column("citation", sa.Text),
    sa.Column("replacement", sa.Text),
    sa.Column("concept", sa.Text, comment="the handle that stands for all versions"),
    sa.Column("handle_values", JSONB(none_as_null=True), comment="what a client of the Handle face wrote"),
    sa.Column("head", sa.Text, nullable=False, comment="hash of the last entry of its history"),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Column(
        "choice",
        sa.Boolean,
        nullable=False,
        server_default=sa.false(),
        comment="where it leads is chosen for each request",
    ),
    sa.Column(
        "changed_in",
        sa.BigInteger,
        nullable=False,
        server_default=sa.func.txid_current(),
        comment="the transaction that changed it last",
    ),
    sa.Index("ix_identifiers_changed_in", "changed_in"),
    sa.Index("ix_identifiers_concept", "concept"),
    sa.Index("ix_identifiers_plan_id", "plan_id"),
    sa.Index("ix_identifiers_previous_record_id", "previous_record_id"),
)

identifier_history = sa.Table(
    "identifier_history",
    metadata,
    sa.Column("handle", sa.Text, sa.ForeignKey("identifiers.handle"), primary_key=True),
    sa.Column("version", sa.BigInteger, primary_key=True),
    sa.Column("content", sa.Text, nullable=False, comment="the canonical JSON the hash is made of"),
    sa.Column("hash", sa.Text, nullable=False),
    sa.Column("actor_iss", sa.Text),
    sa.Column("actor_sub", sa.Text),
)

dois = sa.Table(
    "dois",
    metadata,
    sa.Column("doi", sa.Text, primary_key=True),
    sa.Column("handle", sa.Text, sa.ForeignKey("identifiers.handle"), nullable=False),
    sa.Column("record_id", sa.Text),
    sa.Column("plan", JSONB(none_as_null=True)),
    sa.Column("desired", sa.Text, nullable=False),
    sa.Column("attributes", JSONB, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("status", sa.Text, nullable=False, comment="follows from the other columns; for listings"),
    sa.Column("observed_state", sa.Text),
    sa.Column("observed_revision", sa.BigInteger),
    sa.Column("observed_at", Instant),
    sa.Column("attempts", sa.BigInteger, nullable=False),
    sa.Column("problem", sa.Text),
    sa.Column("note", sa.Text, comment="what the registrar did otherwise, or warned of"),
    sa.Column("failed", sa.Boolean, nullable=False),
    sa.Column("next_try_at", Instant),
    sa.Index("ix_dois_status", "status", "doi"),
)

registrar_paces = sa.Table(
    "registrar_paces",
    metadata,
    sa.Column("registrar", sa.Text, primary_key=True),
    sa.Column("full_at", Instant, nullable=False, comment="when its bucket of requests is full again"),
    sa.Column("back_at", Instant, comment="when it answered again after it had been left alone"),
)

crossref_batches = sa.Table(
    "crossref_batches",
    metadata,
    sa.Column("batch_id", sa.Text, primary_key=True),
    sa.Column("lane", sa.Text, nullable=False),
    sa.Column("timestamp", sa.BigInteger, nullable=False),
    sa.Column("document", sa.Text, nullable=False),
    sa.Column("sends", sa.BigInteger, nullable=False),
    sa.Column("accepted_at", Instant),
    sa.Column("polls", sa.BigInteger, nullable=False),
    sa.Column("failures", sa.BigInteger, nullable=False, comment="in a row"),
    sa.Column("standing", sa.Text, nullable=False, comment="for people: how far it is, or what went wrong"),
    sa.Column("next_at", Instant, nullable=False),
    sa.Index("ix_crossref_batches_lane", "lane"),
)

crossref_deposits = sa.Table(
    "crossref_deposits",
    metadata,
    sa.Column("doi", sa.Text, primary_key=True),
    sa.Column("revision", sa.BigInteger, nullable=False, comment="of the registration"),
    sa.Column("lane", sa.Text, nullable=False, comment="prefix and type: what one batch may hold"),
    sa.Column("record", sa.Text, comment="XML, until the outcome is known"),
    sa.Column("most", sa.BigInteger, nullable=False, comment="records a batch with this one may have"),
    sa.Column("batch_id", sa.Text, comment="the batch it was put into last"),
    sa.Column("timestamp", sa.BigInteger, comment="of that batch"),
    sa.Column("outcome", sa.Text),
    sa.Column("message", sa.Text),
    sa.Index("ix_crossref_deposits_batch_id", "batch_id"),
    sa.Index("ix_crossref_deposits_waiting", "lane", postgresql_where=sa.text("batch_id IS NULL")),
    sa.Index("ix_crossref_deposits_timestamp", "timestamp"),
)
