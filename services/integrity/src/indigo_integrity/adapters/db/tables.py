"""The service's tables."""

from __future__ import annotations

import sqlalchemy as sa
from indigo_kernel.db.tables import NAMING, Instant, kernel_tables
from sqlalchemy.dialects.postgresql import JSONB

metadata = sa.MetaData(naming_convention=NAMING)
kernel_tables(metadata)

plans = sa.Table(
    "plans",
    metadata,
    sa.Column("plan_id", sa.Text, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("snapshot", JSONB, nullable=False),
)

records = sa.Table(
    "records",
    metadata,
    sa.Column("record_id", sa.Text, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("edition", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("plan_id", sa.Text),
    sa.Column("output", sa.Text),
    sa.Column("snapshot", JSONB, nullable=False),
    sa.Index("ix_records_plan", "plan_id", "output", "edition"),
)

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("run_id", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, nullable=False, unique=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("trigger", sa.Text, nullable=False),
    sa.Column("test", sa.Text, nullable=False),
    sa.Column("record_id", sa.Text, nullable=False),
    sa.Column("plan_id", sa.Text),
    sa.Column("subject", JSONB, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("verdict", sa.Text),
    sa.Column("summary", sa.Text),
    sa.Column("counts", JSONB, nullable=False),
    sa.Column("findings", JSONB, nullable=False),
    sa.Column("evidence", JSONB, nullable=False),
    sa.Column("requested_at", Instant, nullable=False),
    sa.Column("started_at", Instant),
    sa.Column("finished_at", Instant),
    sa.Index("ix_runs_newest", "requested_at", "run_id"),
    sa.Index("ix_runs_record", "record_id", "requested_at", "run_id"),
    sa.Index("ix_runs_plan", "plan_id", "requested_at", "run_id"),
)

findings = sa.Table(
    "findings",
    metadata,
    sa.Column("run_id", sa.Text, sa.ForeignKey("runs.run_id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("finding", JSONB, nullable=False),
)

fixity = sa.Table(
    "fixity",
    metadata,
    sa.Column("record_id", sa.Text, primary_key=True),
    sa.Column("next_due", Instant, nullable=False),
    sa.Column("last_checked", Instant),
    sa.Index("ix_fixity_next_due", "next_due"),
)
