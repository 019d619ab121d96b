"""Absent edges: indexes that find those of a digest, without those that are linked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    index("no_blob", "blob IS NULL")
    index("no_manifest", "manifest IS NULL AND kind = 'child'")


def index(name: str, condition: str) -> None:
    op.create_index(
        f"ix_manifest_edges_{name}",
        "manifest_edges",
        ["repository_id", "child"],
        unique=False,
        sqlite_where=sa.text(condition),
        postgresql_where=sa.text(condition),
    )
