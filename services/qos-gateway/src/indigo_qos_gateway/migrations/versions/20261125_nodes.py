"""Queues, references and domains, and to which domain objects belong."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261125_nodes"
down_revision = "20261124_timers"
branch_labels = None
depends_on = None

_INSTANT = postgresql.TIMESTAMP(timezone=True)


def _path(name: str, *, nullable: bool = False, comment: str | None = None) -> sa.Column[str]:
    return sa.Column(name, sa.Text(collation="C"), nullable=nullable, comment=comment)


def upgrade() -> None:
    op.add_column(
        "objects",
        sa.Column("domain", sa.Text(collation="C"), server_default="/cdmi_domains", nullable=False),
    )
    op.add_column(
        "objects",
        sa.Column("partial", sa.Boolean(), server_default="false", nullable=False, comment="more of it will come"),
    )
    op.create_index("ix_objects_domain", "objects", ["domain"], unique=False)
    op.create_table(
        "nodes",
        sa.Column("object_id", sa.Text(), nullable=False),
        _path("path"),
        _path("parent"),
        sa.Column("kind", sa.Text(), nullable=False, comment="queue or reference"),
        _path("domain"),
        sa.Column("metadata", postgresql.JSONB(), nullable=False),
        sa.Column("target", sa.Text(), nullable=True, comment="where a reference leads"),
        sa.Column("status", sa.Text(), nullable=True, comment="how far the gateway fills a queue"),
        sa.Column("listens", sa.Boolean(), nullable=False, comment="to what happens to objects"),
        sa.Column("shown", postgresql.JSONB(), nullable=True, comment="the part of the tree its maker may see"),
        _path("progress", nullable=True, comment="the path a query came to"),
        _count("last", "number of the newest value"),
        _count("bytes", "of all values"),
        _count("lost", "values that found it full"),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("object_id", name=op.f("pk_nodes")),
        sa.UniqueConstraint("path", name=op.f("uq_nodes_path")),
    )
    op.create_index("ix_nodes_parent", "nodes", ["parent"], unique=False)
    op.create_index("ix_nodes_domain", "nodes", ["domain"], unique=False)
    op.create_index("ix_nodes_listens", "nodes", ["listens"], unique=False, postgresql_where=sa.text("listens"))
    op.create_table(
        "queue_values",
        sa.Column("queue_id", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("mimetype", sa.Text(), nullable=False),
        sa.Column("encoding", sa.Text(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["queue_id"], ["nodes.object_id"], name=op.f("fk_queue_values_queue_id_nodes"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("queue_id", "number", name=op.f("pk_queue_values")),
    )
    op.create_table(
        "domains",
        sa.Column("object_id", sa.Text(), nullable=False),
        _path("path"),
        _path("parent"),
        sa.Column("metadata", postgresql.JSONB(), nullable=False),
        sa.Column("members", postgresql.JSONB(), nullable=False, comment="member object → group"),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("object_id", name=op.f("pk_domains")),
        sa.UniqueConstraint("path", name=op.f("uq_domains_path")),
    )
    op.create_index("ix_domains_parent", "domains", ["parent"], unique=False)


def _count(name: str, comment: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), server_default="0", nullable=False, comment=comment)


def downgrade() -> None:
    op.drop_table("domains")
    op.drop_table("queue_values")
    op.drop_table("nodes")
    op.drop_index("ix_objects_domain", "objects")
    op.drop_column("objects", "partial")
    op.drop_column("objects", "domain")
