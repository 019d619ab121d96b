"""Bounds of upload sessions: the client's address, and the time of each one's last request."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table anew: a column that SQLite adds stands elsewhere than in a new table."""
    op.execute("CREATE TABLE kept_uploads AS SELECT * FROM uploads")
    op.drop_table("uploads")
    op.create_table(
        "uploads",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("repository", NAME, nullable=False),
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("algorithm", sa.Text(), nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("idle_epoch", sa.Integer(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.Column("touched_at", BIG, nullable=True),
        sa.Column("touched_epoch", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_uploads"),
        sqlite_strict=True,
    )
    op.execute(
        "INSERT INTO uploads (id, repository, identity, algorithm, created_at, idle_epoch)"
        " SELECT id, repository, identity, algorithm, created_at, idle_epoch FROM kept_uploads"
    )
    op.drop_table("kept_uploads")
    op.create_index("ix_uploads_identity", "uploads", ["identity"], unique=False)
    op.create_index("ix_uploads_address", "uploads", ["address"], unique=False)
