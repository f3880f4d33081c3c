"""The tables every service's database has, next to its own.

``outbox``: events not yet handed to the bus. ``events``: the feed of published events, numbered by
the relay alone, so that a reader's cursor never skips a row. ``inbox``: events already applied.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP

NAMING = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

Instant = TIMESTAMP(timezone=True)


def kernel_tables(metadata: sa.MetaData) -> None:
    """Add the kernel's tables to a service's metadata."""
    now = sa.text("now()")
    sa.Table(
        "outbox",
        metadata,
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("event_id", sa.Text, nullable=False, unique=True),
        sa.Column("fact", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("created_at", Instant, nullable=False, server_default=now),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("next_attempt_at", Instant, nullable=False, server_default=now),
        sa.Column("last_error", sa.Text),
        sa.Index("ix_outbox_due", "next_attempt_at", "id"),
    )
    sa.Table(
        "events",
        metadata,
        sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("event_id", sa.Text, nullable=False, unique=True),
        sa.Column("fact", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("published_at", Instant, nullable=False, server_default=now),
        sa.Index("ix_events_fact", "fact", "position"),
        sa.Index("ix_events_subject", "subject", "position"),
    )
    sa.Table(
        "inbox",
        metadata,
        sa.Column("consumer", sa.Text, primary_key=True),
        sa.Column("event_id", sa.Text, primary_key=True),
        sa.Column("applied_at", Instant, nullable=False, server_default=now),
        sa.Index("ix_inbox_applied_at", "applied_at"),
    )
    sa.Table(
        "dead_letters",
        metadata,
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("queue", sa.Text, nullable=False),
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("routing_key", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("error_type", sa.Text, nullable=False),
        sa.Column("error_detail", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("died_at", Instant, nullable=False, server_default=now),
        sa.Column("replayed_at", Instant),
        sa.UniqueConstraint("queue", "event_id", name="uq_dead_letters_queue_event"),
    )
    sa.Table(
        "idempotency_keys",
        metadata,
        sa.Column("principal", sa.Text, primary_key=True),
        sa.Column("method", sa.Text, primary_key=True),
        sa.Column("path", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("headers", JSONB),
        sa.Column("body", sa.LargeBinary),
        sa.Column("created_at", Instant, nullable=False, server_default=now),
        sa.Index("ix_idempotency_keys_created_at", "created_at"),
    )
    sa.Table(
        "api_keys",
        metadata,
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("prefix", sa.Text, nullable=False, unique=True),
        sa.Column("secret_sha256", sa.Text, nullable=False),
        sa.Column("issuer", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("scopes", sa.ARRAY(sa.Text), nullable=False),
        sa.Column("groups", sa.ARRAY(sa.Text), nullable=False, server_default="{}"),
        sa.Column("note", sa.Text, nullable=False, server_default=""),
        sa.Column("created_at", Instant, nullable=False, server_default=now),
        sa.Column("expires_at", Instant, nullable=False),
        sa.Column("last_used_at", Instant),
        sa.Column("revoked_at", Instant),
    )
    sa.Table(
        "jobs",
        metadata,
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("payload", JSONB, nullable=False),
        sa.Column("run_at", Instant, nullable=False, server_default=now),
        sa.Column("revision", sa.Integer, nullable=False, server_default="0"),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("lease_token", sa.Text),
        sa.Column("lease_until", Instant),
        sa.Column("last_error", sa.Text),
        sa.Column("parked_at", Instant),
        sa.Column("traceparent", sa.Text),
        sa.Column("correlation_id", sa.Text),
        sa.Column("causation_id", sa.Text),
        sa.Column("created_at", Instant, nullable=False, server_default=now),
        sa.UniqueConstraint("kind", "key", name="uq_jobs_kind_key"),
        sa.Index("ix_jobs_due", "kind", "run_at", postgresql_where=sa.text("parked_at IS NULL")),
    )
