"""The rate of requests to a registrar, for all processes together"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261126_registrar_paces"
down_revision = "20261125_name_keys"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "registrar_paces",
        sa.Column("registrar", sa.Text(), nullable=False),
        sa.Column(
            "full_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=False,
            comment="when its bucket of requests is full again",
        ),
        sa.PrimaryKeyConstraint("registrar", name=op.f("pk_registrar_paces")),
    )


def downgrade() -> None:
    op.drop_table("registrar_paces")
