"""History, tombstones, versions and handle values of identifiers"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261123_history"
down_revision = "20261123_name_index"
branch_labels = None
depends_on = None

_START = "0" * 64


def upgrade() -> None:
    op.alter_column("identifiers", "ark", nullable=True)
    op.alter_column("identifiers", "ark_key", nullable=True)
    op.add_column("identifiers", sa.Column("citation", sa.Text(), nullable=True))
    op.add_column("identifiers", sa.Column("replacement", sa.Text(), nullable=True))
    op.add_column(
        "identifiers",
        sa.Column("concept", sa.Text(), nullable=True, comment="the handle that stands for all versions"),
    )
    op.add_column(
        "identifiers",
        sa.Column(
            "handle_values",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=True,
            comment="what a client of the Handle face wrote",
        ),
    )
    op.add_column(
        "identifiers",
        sa.Column(
            "head",
            sa.Text(),
            server_default=_START,
            nullable=False,
            comment="hash of the last entry of its history",
        ),
    )
    op.alter_column("identifiers", "head", server_default=None)
    op.create_index("ix_identifiers_concept", "identifiers", ["concept"])
    op.create_index(
        "ix_identifiers_prefix",
        "identifiers",
        ["handle_key"],
        postgresql_ops={"handle_key": "text_pattern_ops"},
    )
    op.create_table(
        "identifier_history",
        sa.Column("handle", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False, comment="the canonical JSON the hash is made of"),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("actor_iss", sa.Text(), nullable=True),
        sa.Column("actor_sub", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["handle"], ["identifiers.handle"], name=op.f("fk_identifier_history_handle_identifiers")
        ),
        sa.PrimaryKeyConstraint("handle", "version", name=op.f("pk_identifier_history")),
    )


def downgrade() -> None:
    op.drop_table("identifier_history")
    op.drop_index("ix_identifiers_prefix", table_name="identifiers")
    op.drop_index("ix_identifiers_concept", table_name="identifiers")
    for name in ("head", "handle_values", "concept", "replacement", "citation"):
        op.drop_column("identifiers", name)
    # What is a handle only did not exist before.
    op.execute("DELETE FROM identifiers WHERE ark IS NULL")
    op.alter_column("identifiers", "ark_key", nullable=False)
    op.alter_column("identifiers", "ark", nullable=False)
