"""Bytes on their way into the storage."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261130_arrivals"
down_revision = "20261129_removals"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "arrivals",
        sa.Column("path", sa.Text(collation="C"), nullable=False),
        sa.Column("token", sa.Text(), nullable=False, comment="of the request that brings them"),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("path", name=op.f("pk_arrivals")),
    )


def downgrade() -> None:
    op.drop_table("arrivals")
