"""Watched epochs: a lower bound of each one's age, instead of a boot's monotonic clock."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the table anew, as 0004 does.  How long an epoch was watched before is unknown: 0."""
    op.execute("CREATE TABLE kept_epochs AS SELECT * FROM epochs")
    op.drop_table("epochs")
    op.create_table(
        "epochs",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("watched_ms", BIG, nullable=False),
        sa.Column("begun_at", BIG, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_epochs"),
        sqlite_strict=True,
    )
    op.execute(
        "INSERT INTO epochs (number, watched_ms, begun_at)"
        " SELECT number, 0, begun_at FROM kept_epochs"
    )
    op.drop_table("kept_epochs")
