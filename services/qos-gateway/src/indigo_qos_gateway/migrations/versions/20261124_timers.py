"""When objects have to be looked at again, and the groups rules are about."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261124_timers"
down_revision = "20261123_batches"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "timers",
        sa.Column("path", sa.Text(collation="C"), nullable=False),
        sa.Column("storage_class", sa.Text(), nullable=False),
        sa.Column("due_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("due", sa.Text(), nullable=False, comment="the end of a lifetime, or of a choice"),
        sa.PrimaryKeyConstraint("path", name=op.f("pk_timers")),
    )
    op.create_index("ix_timers_due_at", "timers", ["due_at"], unique=False)
    op.add_column(
        "objects",
        sa.Column("groups", sa.ARRAY(sa.Text()), server_default="{}", nullable=False, comment="of who stored it"),
    )


def downgrade() -> None:
    op.drop_column("objects", "groups")
    op.drop_table("timers")
