"""The tables of this service."""

from __future__ import annotations

import sqlalchemy as sa
from indigo_kernel.db.tables import NAMING, Instant, kernel_tables
from sqlalchemy.dialects.postgresql import JSONB

metadata = sa.MetaData(naming_convention=NAMING)
kernel_tables(metadata)

# C collation: "everything below a path" is a range of an index.
Path = sa.Text(collation="C")

objects = sa.Table(
    "objects",
    metadata,
    sa.Column("object_id", sa.Text, primary_key=True),
    sa.Column("path", Path, nullable=False, unique=True),
    sa.Column("object_type", sa.Text, nullable=False),
    sa.Column("mimetype", sa.Text, nullable=False),
    sa.Column("encoding", sa.Text, nullable=False),
    sa.Column("metadata", JSONB, nullable=False, comment="what clients gave"),
    sa.Column("groups", sa.ARRAY(sa.Text), nullable=False, server_default="{}", comment="of who stored it"),
    sa.Column("sha256", sa.Text, comment="of the bytes as they were received; absent for what others wrote"),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("association_time", Instant, nullable=False, comment="when it came to its class"),
    sa.Column("domain", Path, nullable=False, server_default="/cdmi_domains"),
    sa.Column("partial", sa.Boolean, nullable=False, server_default="false", comment="more of it will come"),
    sa.Index("ix_objects_domain", "domain"),
)

nodes = sa.Table(
    "nodes",
    metadata,
    sa.Column("object_id", sa.Text, primary_key=True),
    sa.Column("path", Path, nullable=False, unique=True),
    sa.Column("parent", Path, nullable=False),
    sa.Column("kind", sa.Text, nullable=False, comment="queue or reference"),
    sa.Column("domain", Path, nullable=False),
    sa.Column("metadata", JSONB, nullable=False),
    sa.Column("target", sa.Text, comment="where a reference leads"),
    sa.Column("status", sa.Text, comment="how far the gateway fills a queue"),
    sa.Column("listens", sa.Boolean, nullable=False, comment="to what happens to objects"),
    sa.Column("shown", JSONB(none_as_null=True), comment="the part of the tree its maker may see"),
    sa.Column("progress", Path, comment="the path a query came to"),
    sa.Column("last", sa.BigInteger, nullable=False, server_default="0", comment="number of the newest value"),
    sa.Column("bytes", sa.BigInteger, nullable=False, server_default="0", comment="of all values"),
    sa.Column("lost", sa.BigInteger, nullable=False, server_default="0", comment="values that found it full"),
    sa.Column("created_at", Instant, nullable=False),
    sa.Index("ix_nodes_parent", "parent"),
    sa.Index("ix_nodes_domain", "domain"),
    sa.Index("ix_nodes_listens", "listens", postgresql_where=sa.text("listens")),
)

queue_values = sa.Table(
    "queue_values",
    metadata,
    sa.Column("queue_id", sa.ForeignKey("nodes.object_id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True),
    sa.Column("mimetype", sa.Text, nullable=False),
    sa.Column("encoding", sa.Text, nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
)

domains = sa.Table(
    "domains",
    metadata,
    sa.Column("object_id", sa.Text, primary_key=True),
    sa.Column("path", Path, nullable=False, unique=True),
    sa.Column("parent", Path, nullable=False),
    sa.Column("metadata", JSONB, nullable=False),
    sa.Column("members", JSONB, nullable=False, comment="member object → group"),
    sa.Column("created_at", Instant, nullable=False),
    sa.Index("ix_domains_parent", "parent"),
)

transitions = sa.Table(
    "transitions",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("path", Path, nullable=False),
    sa.Column("object_type", sa.Text, nullable=False),
    sa.Column("backend", sa.Text, nullable=False, comment="of the part of the tree it is in"),
    sa.Column("source_backend", sa.Text, comment="that had the bytes when it was asked for"),
    sa.Column("target_backend", sa.Text, comment="that has the target class"),
    sa.Column("source_class", sa.Text),
    sa.Column("target_class", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("record_id", sa.Text),
    sa.Column("batch_id", sa.Text, comment="the request for many it is a part of"),
    sa.Column("plan", JSONB(none_as_null=True)),
    sa.Column("handles", JSONB, nullable=False, comment="the back-end's names of running steps, by path"),
    sa.Column("cancel_requested", sa.Boolean, nullable=False),
    sa.Column("objects", JSONB, nullable=False, comment="as observed in the end"),
    sa.Column("provided", JSONB, nullable=False),
    sa.Column("bytes_total", sa.BigInteger, comment="of the objects it is about, once they were looked at"),
    sa.Column("bytes_done", sa.BigInteger, nullable=False, server_default="0", comment="at the target class"),
    sa.Column("error", sa.Text),
    sa.Column("requested_at", Instant, nullable=False),
    sa.Column("started_at", Instant),
    sa.Column("finished_at", Instant),
    sa.Index(
        "uq_transitions_active_path",
        "path",
        unique=True,
        postgresql_where=sa.text("state IN ('SUBMITTED', 'STARTED')"),
    ),
    sa.Index("ix_transitions_path", "path", "id"),
    sa.Index("ix_transitions_record_id", "record_id", "id"),
    sa.Index("ix_transitions_state", "state", "id"),
)

places = sa.Table(
    "places",
    metadata,
    sa.Column("path", Path, primary_key=True),
    sa.Column("parent", Path, nullable=False, comment="the container that shows it"),
    sa.Column("backend", sa.Text, nullable=False),
    sa.Column("inner", sa.Text, comment="the back-end's own path of a data object; absent for containers"),
    sa.Column("storage_class", sa.Text, comment="of a container: the class of what is stored in it"),
    sa.Index("ix_places_parent", "parent"),
    sa.Index("ix_places_backend", "backend"),
)

relocations = sa.Table(
    "relocations",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("path", Path, nullable=False, unique=True),
    sa.Column("source_backend", sa.Text, nullable=False),
    sa.Column("source_inner", sa.Text, nullable=False),
    sa.Column("backend", sa.Text, nullable=False),
    sa.Column("inner", sa.Text, nullable=False),
    sa.Column("storage_class", sa.Text, nullable=False, comment="as the target calls it"),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("stage", sa.Text, nullable=False),
    sa.Column("modified", Instant, comment="when the source was changed last, as it was copied"),
    sa.Column("bytes_done", sa.BigInteger, nullable=False),
    sa.Column("recalled_from", sa.Text, comment="class of the source before it was recalled"),
)

transfers = sa.Table(
    "transfers",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False, comment="copy, move or delete"),
    sa.Column("source", Path, nullable=False),
    sa.Column("path", Path, nullable=False, unique=True),
    sa.Column("wish", JSONB, nullable=False, comment="what the request said of the new object"),
    sa.Column("actor", sa.ARRAY(sa.Text), comment="issuer and subject"),
    sa.Column("total", sa.Integer, nullable=False, comment="objects and containers"),
    sa.Column("done", sa.Integer, nullable=False),
    sa.Column("stage", sa.Text, nullable=False),
    sa.Column("error", sa.Text),
    sa.Index("ix_transfers_source", "source"),
)

stage_requests = sa.Table(
    "stage_requests",
    metadata,
    sa.Column("backend", sa.Text, primary_key=True),
    sa.Column("path", sa.Text, primary_key=True),
    sa.Column("request", sa.Text, nullable=False, comment="as the tape system calls it"),
)

batches = sa.Table(
    "batches",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("target_class", sa.Text),
    sa.Column("owner_iss", sa.Text, nullable=False),
    sa.Column("owner_sub", sa.Text, nullable=False),
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("removed", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("requested_at", Instant, nullable=False),
    sa.Column("started_at", Instant),
    sa.Column("finished_at", Instant),
    sa.Index("ix_batches_active", "owner_iss", "owner_sub", postgresql_where=sa.text("finished_at IS NULL")),
)

batch_targets = sa.Table(
    "batch_targets",
    metadata,
    sa.Column("batch_id", sa.Text, sa.ForeignKey("batches.id"), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("path", Path, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("target_class", sa.Text),
    sa.Column("expected_class", sa.Text, comment="act only on what is at this class still"),
    sa.Column("home_class", sa.Text, comment="where a staged file goes back to"),
    sa.Column("transition_id", sa.Text),
    sa.Column("error", sa.Text),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("cancel_requested", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("lifetime", sa.Interval, comment="how long a staged file stays on disk"),
    sa.Column("started_at", Instant),
    sa.Column("finished_at", Instant),
    sa.Column("pinned_until", Instant),
    sa.Column("released_at", Instant),
    sa.Index("uq_batch_targets_path", "batch_id", "path", unique=True),
    sa.Index(
        "ix_batch_targets_active",
        "batch_id",
        "position",
        postgresql_where=sa.text("state IN ('SUBMITTED', 'STARTED')"),
    ),
    sa.Index("ix_batch_targets_loans", "path", postgresql_where=sa.text("home_class IS NOT NULL")),
    sa.Index(
        "ix_batch_targets_pins",
        "pinned_until",
        postgresql_where=sa.text("pinned_until IS NOT NULL AND released_at IS NULL"),
    ),
)

arrivals = sa.Table(
    "arrivals",
    metadata,
    sa.Column("path", Path, primary_key=True),
    sa.Column("token", sa.Text, nullable=False, comment="of the request that brings them"),
    sa.Column("until", Instant, nullable=False),
)

timers = sa.Table(
    "timers",
    metadata,
    sa.Column("path", Path, primary_key=True),
    sa.Column("storage_class", sa.Text, nullable=False),
    sa.Column("due_at", Instant, nullable=False),
    sa.Column("due", sa.Text, nullable=False, comment="the end of a lifetime, or of a choice"),
    sa.Index("ix_timers_due_at", "due_at"),
)

plans = sa.Table(
    "plans",
    metadata,
    sa.Column("plan_id", sa.Text, primary_key=True),
    sa.Column("edition", sa.BigInteger, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("outputs", JSONB, nullable=False, comment="output → storage promise"),
)

records = sa.Table(
    "records",
    metadata,
    sa.Column("record_id", sa.Text, primary_key=True),
    sa.Column("plan_id", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("snapshot", JSONB, nullable=False, comment="the record as it was heard last"),
    sa.Index("ix_records_plan_id", "plan_id"),
)
