"""The tables of the plan service. JSONB holds maDMP documents as they are; the schema is checked on the way in."""

from __future__ import annotations

import sqlalchemy as sa
from indigo_kernel.db.tables import NAMING, Instant, kernel_tables
from sqlalchemy.dialects.postgresql import JSONB

metadata = sa.MetaData(naming_convention=NAMING)
kernel_tables(metadata)

plans = sa.Table(
    "plans",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("edition", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("owner_iss", sa.Text, nullable=False),
    sa.Column("owner_sub", sa.Text, nullable=False),
    sa.Column("document", JSONB, nullable=False),
    sa.Column("created", Instant, nullable=False),
    sa.Column("modified", Instant, nullable=False),
    sa.Column("published_version", sa.Integer),
    sa.Column("published_at", Instant),
    sa.Column("withdrawn_at", Instant),
    sa.Column("withdrawn_reason", sa.Text),
    sa.Index("ix_plans_owner", "owner_iss", "owner_sub", "id"),
    sa.Index("ix_plans_state", "state", "id"),
)

plan_versions = sa.Table(
    "plan_versions",
    metadata,
    sa.Column("plan_id", sa.Text, sa.ForeignKey("plans.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("edition", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("change", sa.Text, nullable=False),
    sa.Column("changed_at", Instant, nullable=False),
    sa.Column("actor_iss", sa.Text),
    sa.Column("actor_sub", sa.Text),
    sa.Column("document", JSONB, nullable=False),
)

promises = sa.Table(
    "promises",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("plan_id", sa.Text, sa.ForeignKey("plans.id", ondelete="CASCADE"), nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("output", sa.Text),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("test", sa.Text),
    sa.Column("level", sa.Text),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("due", sa.Date),
    sa.Column("storage_class", sa.Text),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("since", Instant, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("evidence", JSONB(none_as_null=True)),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("retired_at", Instant),
    sa.UniqueConstraint(
        "plan_id", "output", "kind", "test", name="uq_promises_slot", postgresql_nulls_not_distinct=True
    ),
)

readings = sa.Table(
    "readings",
    metadata,
    sa.Column("event_id", sa.Text, primary_key=True),
    sa.Column("plan_id", sa.Text, sa.ForeignKey("plans.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("aspect_group", sa.Text, primary_key=True),
    sa.Column("aspect_member", sa.Text, primary_key=True),
    sa.Column("output", sa.Text),
    sa.Column("test", sa.Text),
    sa.Column("level", sa.Text),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("classes", sa.ARRAY(sa.Text), nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("evidence", JSONB, nullable=False),
    sa.Index("ix_readings_plan", "plan_id", "output", "kind", "at"),
)
