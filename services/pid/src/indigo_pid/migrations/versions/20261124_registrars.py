"""A second registrar: its deposits, and its sandbox"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "20261124_registrars"
down_revision = "20261123_history"
branch_labels = None
depends_on = None

_Instant = postgresql.TIMESTAMP(timezone=True)


def upgrade() -> None:
    op.add_column(
        "dois",
        sa.Column("note", sa.Text(), nullable=True, comment="what the registrar did otherwise, or warned of"),
    )
    op.create_table(
        "crossref_batches",
        sa.Column("batch_id", sa.Text(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("timestamp", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("sends", sa.BigInteger(), nullable=False),
        sa.Column("accepted_at", _Instant, nullable=True),
        sa.Column("polls", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False, comment="in a row"),
        sa.Column("standing", sa.Text(), nullable=False, comment="for people: how far it is, or what went wrong"),
        sa.Column("next_at", _Instant, nullable=False),
        sa.PrimaryKeyConstraint("batch_id", name=op.f("pk_crossref_batches")),
    )
    op.create_index("ix_crossref_batches_lane", "crossref_batches", ["lane"])
    op.create_table(
        "crossref_deposits",
        sa.Column("doi", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False, comment="of the registration"),
        sa.Column("lane", sa.Text(), nullable=False, comment="prefix and type: what one batch may hold"),
        sa.Column("record", sa.Text(), nullable=True, comment="XML, until the outcome is known"),
        sa.Column("most", sa.BigInteger(), nullable=False, comment="records a batch with this one may have"),
        sa.Column("batch_id", sa.Text(), nullable=True, comment="the batch it was put into last"),
        sa.Column("timestamp", sa.BigInteger(), nullable=True, comment="of that batch"),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("doi", name=op.f("pk_crossref_deposits")),
    )
    op.create_index("ix_crossref_deposits_batch_id", "crossref_deposits", ["batch_id"])
    op.create_index(
        "ix_crossref_deposits_waiting",
        "crossref_deposits",
        ["lane"],
        postgresql_where=sa.text("batch_id IS NULL"),
    )
    op.create_index("ix_crossref_deposits_timestamp", "crossref_deposits", ["timestamp"])
    op.create_table(
        "sandbox_submissions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("contents", sa.LargeBinary(), nullable=False),
        sa.Column("polls", sa.BigInteger(), nullable=False, comment="how often its result was asked for"),
        sa.Column("result", sa.Text(), nullable=True, comment="the report, once it is processed"),
        sa.Column("received", _Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sandbox_submissions")),
    )
    op.create_index("ix_sandbox_submissions_file_name", "sandbox_submissions", ["file_name", "id"])
    op.create_table(
        "sandbox_works",
        sa.Column("doi", sa.Text(), nullable=False, comment="lower case"),
        sa.Column("timestamp", sa.Numeric(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("deposits", sa.BigInteger(), nullable=False, comment="how often it was written"),
        sa.Column("created", _Instant, nullable=False),
        sa.Column("deposited", _Instant, nullable=False),
        sa.PrimaryKeyConstraint("doi", name=op.f("pk_sandbox_works")),
    )


def downgrade() -> None:
    op.drop_table("sandbox_works")
    op.drop_index("ix_sandbox_submissions_file_name", table_name="sandbox_submissions")
    op.drop_table("sandbox_submissions")
    op.drop_index("ix_crossref_deposits_timestamp", table_name="crossref_deposits")
    op.drop_index("ix_crossref_deposits_waiting", table_name="crossref_deposits")
    op.drop_index("ix_crossref_deposits_batch_id", table_name="crossref_deposits")
    op.drop_table("crossref_deposits")
    op.drop_index("ix_crossref_batches_lane", table_name="crossref_batches")
    op.drop_table("crossref_batches")
    op.drop_column("dois", "note")
