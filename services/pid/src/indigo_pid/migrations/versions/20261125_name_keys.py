"""Names compare byte by byte, so that one index serves equality and prefixes"""

import sqlalchemy as sa
from alembic import op

revision = "20261125_name_keys"
down_revision = "20261124_registrars"
branch_labels = None
depends_on = None

_KEYS = ("handle_key", "ark_key")


def upgrade() -> None:
    op.drop_index("ix_identifiers_prefix", table_name="identifiers")
    for name in _KEYS:
        op.alter_column("identifiers", name, type_=sa.Text(collation="C"))


def downgrade() -> None:
    for name in _KEYS:
        op.alter_column("identifiers", name, type_=sa.Text(collation="default"))
    op.create_index(
        "ix_identifiers_prefix",
        "identifiers",
        ["handle_key"],
        postgresql_ops={"handle_key": "text_pattern_ops"},
    )
