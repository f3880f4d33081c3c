"""Which transaction changed an identifier last, for the name index"""

import sqlalchemy as sa
from alembic import op

revision = "20261123_name_index"
down_revision = "20261122_first"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "identifiers",
        sa.Column(
            "choice",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="where it leads is chosen for each request",
        ),
    )
    op.add_column(
        "identifiers",
        sa.Column(
            "changed_in",
            sa.BigInteger(),
            server_default=sa.text("txid_current()"),
            nullable=False,
            comment="the transaction that changed it last",
        ),
    )
    op.create_index("ix_identifiers_changed_in", "identifiers", ["changed_in"])


def downgrade() -> None:
    op.drop_index("ix_identifiers_changed_in", table_name="identifiers")
    op.drop_column("identifiers", "changed_in")
    op.drop_column("identifiers", "choice")
