"""Tables of the repository. The store is self-describing; these are its index and its working state."""

from __future__ import annotations

import sqlalchemy as sa
from indigo_kernel.db.tables import NAMING, Instant, kernel_tables
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR

metadata = sa.MetaData(naming_convention=NAMING)
kernel_tables(metadata)

records = sa.Table(
    "records",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("object_id", sa.Text, nullable=False),
    sa.Column("edition", sa.Integer, nullable=False),
    sa.Column("previous", sa.Text),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("owner_iss", sa.Text),
    sa.Column("owner_sub", sa.Text),
    sa.Column("metadata", JSONB, nullable=False),
    sa.Column("plan_id", sa.Text),
    sa.Column("plan_edition", sa.Integer),
    sa.Column("output", sa.Text),
    sa.Column("handle", sa.Text),
    sa.Column("ark", sa.Text),
    sa.Column("doi", sa.Text),
    sa.Column("identifier_version", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("prefilled", sa.Boolean, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Column("publication", sa.Text),
    sa.Column("published_at", Instant),
    sa.Column("withdrawn_at", Instant),
    sa.Column("reason", sa.Text),
    sa.Column("search_text", sa.Text, nullable=False),
    sa.Column("search", TSVECTOR, sa.Computed("to_tsvector('simple', search_text)", persisted=True)),
    sa.UniqueConstraint("object_id", "edition", name="uq_records_object_edition"),
    sa.Index("ix_records_search", "search", postgresql_using="gin"),
    sa.Index("ix_records_plan", "plan_id", "output"),
    sa.Index("ix_records_owner", "owner_iss", "owner_sub"),
    sa.Index(
        "uq_records_planned_output",
        "plan_id",
        "output",
        unique=True,
        postgresql_where=sa.text("output IS NOT NULL AND previous IS NULL"),
    ),
    sa.Index(
        "uq_records_plan_edition",
        "plan_id",
        "plan_edition",
        unique=True,
        postgresql_where=sa.text("kind = 'dmp' AND output IS NULL"),
    ),
)

files = sa.Table(
    "files",
    metadata,
    sa.Column("record_id", sa.Text, sa.ForeignKey("records.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("key", sa.Text(collation="C"), primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("mimetype", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("blob", sa.Text, unique=True),
    sa.Column("size", sa.BigInteger),
    sa.Column("sha512", sa.Text),
    sa.Column("sha256", sa.Text, index=True),
    sa.Column("md5", sa.Text),
    sa.Column("content_path", sa.Text),
    sa.Column("damage", sa.Text),
    sa.Column("checked_at", Instant),
)

premis_events = sa.Table(
    "premis_events",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("record_id", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("summary", sa.Text, nullable=False),
    sa.Column("agent", sa.Text, nullable=False),
    sa.Column("files", sa.ARRAY(sa.Text), nullable=False),
    sa.Column("detail", JSONB, nullable=False),
    sa.Index("ix_premis_events_record", "record_id", "id"),
)

test_results = sa.Table(
    "test_results",
    metadata,
    sa.Column("record_id", sa.Text, sa.ForeignKey("records.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("test", sa.Text, primary_key=True),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("level", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("summary", sa.Text),
    sa.Column("finished_at", Instant, nullable=False),
    sa.Column("report_url", sa.Text, nullable=False),
)

plans = sa.Table(
    "plans",
    metadata,
    sa.Column("plan_id", sa.Text, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("edition", sa.Integer, nullable=False),
    sa.Column("withdrawn", sa.Boolean, nullable=False),
    sa.Column("owner_iss", sa.Text),
    sa.Column("owner_sub", sa.Text),
    sa.Column("url", sa.Text, nullable=False),
)
