"""Removals are kept where copies and moves are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "20261129_removals"
down_revision = "20261127_transfers"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.alter_column("transfers", "kind", existing_type=sa.Text(), comment="copy, move or delete")


def downgrade() -> None:
    op.execute("DELETE FROM transfers WHERE kind = 'delete'")
    op.alter_column("transfers", "kind", existing_type=sa.Text(), comment="copy or move")
