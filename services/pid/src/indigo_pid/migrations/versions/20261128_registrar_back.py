"""All processes hear that a registrar answers again"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261128_registrar_back"
down_revision = "20261127_sandbox_columns"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "registrar_paces",
        sa.Column(
            "back_at",
            postgresql.TIMESTAMP(timezone=True),
            nullable=True,
            comment="when it answered again after it had been left alone",
        ),
    )


def downgrade() -> None:
    op.drop_column("registrar_paces", "back_at")
