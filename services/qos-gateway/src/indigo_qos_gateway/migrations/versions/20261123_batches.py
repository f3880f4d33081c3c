"""Requests for many changes of class at once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261123_batches"
down_revision = "20261122_transitions"
branch_labels = None
depends_on = None

_ACTIVE = sa.text("state IN ('SUBMITTED', 'STARTED')")


def upgrade() -> None:
    instant = postgresql.TIMESTAMP(timezone=True)
    op.create_table(
        "batches",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("target_class", sa.Text(), nullable=True),
        sa.Column("owner_iss", sa.Text(), nullable=False),
        sa.Column("owner_sub", sa.Text(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("removed", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("requested_at", instant, nullable=False),
        sa.Column("started_at", instant, nullable=True),
        sa.Column("finished_at", instant, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batches")),
    )
    op.create_index(
        "ix_batches_active",
        "batches",
        ["owner_iss", "owner_sub"],
        unique=False,
        postgresql_where=sa.text("finished_at IS NULL"),
    )
    op.create_table(
        "batch_targets",
        sa.Column("batch_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(collation="C"), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("target_class", sa.Text(), nullable=True),
        sa.Column("expected_class", sa.Text(), nullable=True, comment="act only on what is at this class still"),
        sa.Column("home_class", sa.Text(), nullable=True, comment="where a staged file goes back to"),
        sa.Column("transition_id", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("cancel_requested", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("lifetime", sa.Interval(), nullable=True, comment="how long a staged file stays on disk"),
        sa.Column("started_at", instant, nullable=True),
        sa.Column("finished_at", instant, nullable=True),
        sa.Column("pinned_until", instant, nullable=True),
        sa.Column("released_at", instant, nullable=True),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_batch_targets_batch_id_batches")),
        sa.PrimaryKeyConstraint("batch_id", "position", name=op.f("pk_batch_targets")),
    )
    op.create_index("uq_batch_targets_path", "batch_targets", ["batch_id", "path"], unique=True)
    op.create_index("ix_batch_targets_active", "batch_targets", ["batch_id", "position"], postgresql_where=_ACTIVE)
    op.create_index(
        "ix_batch_targets_loans", "batch_targets", ["path"], postgresql_where=sa.text("home_class IS NOT NULL")
    )
    op.create_index(
        "ix_batch_targets_pins",
        "batch_targets",
        ["pinned_until"],
        postgresql_where=sa.text("pinned_until IS NOT NULL AND released_at IS NULL"),
    )
    op.add_column(
        "transitions",
        sa.Column("batch_id", sa.Text(), nullable=True, comment="the request for many it is a part of"),
    )


def downgrade() -> None:
    op.drop_column("transitions", "batch_id")
    op.drop_table("batch_targets")
    op.drop_table("batches")
