"""Where objects are that another back-end took over, the way there, and what tape systems were asked for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261125_places"
down_revision = "20261125_nodes"
branch_labels = None
depends_on = None


def upgrade() -> None:
    path = sa.Text(collation="C")
    op.create_table(
        "places",
        sa.Column("path", path, nullable=False),
        sa.Column("parent", path, nullable=False, comment="the container that shows it"),
        sa.Column("backend", sa.Text(), nullable=False),
        sa.Column("inner", sa.Text(), comment="the back-end's own path of a data object; absent for containers"),
        sa.Column("storage_class", sa.Text(), comment="of a container: the class of what is stored in it"),
        sa.PrimaryKeyConstraint("path", name=op.f("pk_places")),
    )
    op.create_index("ix_places_parent", "places", ["parent"])
    op.create_index("ix_places_backend", "places", ["backend"])
    op.create_table(
        "relocations",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("path", path, nullable=False),
        sa.Column("source_backend", sa.Text(), nullable=False),
        sa.Column("source_inner", sa.Text(), nullable=False),
        sa.Column("backend", sa.Text(), nullable=False),
        sa.Column("inner", sa.Text(), nullable=False),
        sa.Column("storage_class", sa.Text(), nullable=False, comment="as the target calls it"),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column(
            "modified",
            postgresql.TIMESTAMP(timezone=True),
            comment="when the source was changed last, as it was copied",
        ),
        sa.Column("bytes_done", sa.BigInteger(), nullable=False),
        sa.Column("recalled_from", sa.Text(), comment="class of the source before it was recalled"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_relocations")),
        sa.UniqueConstraint("path", name=op.f("uq_relocations_path")),
    )
    op.create_table(
        "stage_requests",
        sa.Column("backend", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False, comment="as the tape system calls it"),
        sa.PrimaryKeyConstraint("backend", "path", name=op.f("pk_stage_requests")),
    )
    of_tree = "of the part of the tree it is in"
    op.alter_column("transitions", "backend", existing_type=sa.Text(), existing_nullable=False, comment=of_tree)
    for column in (
        sa.Column("source_backend", sa.Text(), comment="that had the bytes when it was asked for"),
        sa.Column("target_backend", sa.Text(), comment="that has the target class"),
        sa.Column("bytes_total", sa.BigInteger(), comment="of the objects it is about, once they were looked at"),
        sa.Column(
            "bytes_done", sa.BigInteger(), nullable=False, server_default="0", comment="at the target class"
        ),
    ):
        op.add_column("transitions", column)


def downgrade() -> None:
    for name in ("bytes_done", "bytes_total", "target_backend", "source_backend"):
        op.drop_column("transitions", name)
    op.alter_column("transitions", "backend", existing_type=sa.Text(), existing_nullable=False, comment=None)
    op.drop_table("stage_requests")
    op.drop_table("relocations")
    op.drop_table("places")
