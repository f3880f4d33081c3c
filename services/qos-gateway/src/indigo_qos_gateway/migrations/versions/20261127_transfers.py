"""Copies and moves under way."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261127_transfers"
down_revision = "20261125_places"
branch_labels = None
depends_on = None


def upgrade() -> None:
    path = sa.Text(collation="C")
    op.create_table(
        "transfers",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="copy or move"),
        sa.Column("source", path, nullable=False),
        sa.Column("path", path, nullable=False),
        sa.Column("wish", postgresql.JSONB(), nullable=False, comment="what the request said of the new object"),
        sa.Column("actor", sa.ARRAY(sa.Text()), comment="issuer and subject"),
        sa.Column("total", sa.Integer(), nullable=False, comment="objects and containers"),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("error", sa.Text()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transfers")),
        sa.UniqueConstraint("path", name=op.f("uq_transfers_path")),
    )
    op.create_index("ix_transfers_source", "transfers", ["source"])


def downgrade() -> None:
    op.drop_table("transfers")
