"""The sandboxes keep no instants that nobody reads"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261127_sandbox_columns"
down_revision = "20261126_registrar_paces"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_column("sandbox_submissions", "received")
    op.drop_column("sandbox_works", "created")


def downgrade() -> None:
    for table, column in (("sandbox_submissions", "received"), ("sandbox_works", "created")):
        instant = postgresql.TIMESTAMP(timezone=True)
        op.add_column(table, sa.Column(column, instant, server_default=sa.func.now(), nullable=False))
        op.alter_column(table, column, server_default=None)
