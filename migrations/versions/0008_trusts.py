"""Trusts: the tokens of CI issuers that count here."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "trusts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("principal_id", sa.Integer(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("audience", sa.Text(), nullable=False),
        sa.Column("claims", sa.Text(), nullable=False),
        sa.Column("life_seconds", sa.Integer(), nullable=False),
        sa.Column("is_private", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.CheckConstraint("life_seconds BETWEEN 1 AND 3600", name=op.f("ck_trusts_life_seconds")),
        sa.ForeignKeyConstraint(
            ["principal_id"],
            ["principals.id"],
            name="fk_trusts_principal_id",
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_trusts"),
        sa.UniqueConstraint("name", name="uq_trusts_name"),
        sqlite_strict=True,
    )
    op.create_index("ix_trusts_issuer", "trusts", ["issuer"], unique=False)
    op.create_index("ix_trusts_principal_id", "trusts", ["principal_id"], unique=True)
