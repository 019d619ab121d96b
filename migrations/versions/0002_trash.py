"""Trash: manifests, memberships and repositories that were deleted and can come back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_index("ix_uploads_identity", "uploads", ["identity"], unique=False)
    op.create_index("ix_trash_deleted_at", "trash", ["deleted_at"], unique=False)
    create_trash_manifests()
    create_trash_members()
    create_deleted_repositories()


def create_trash_manifests() -> None:
    op.create_table(
        "trash_manifests",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("repository_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("deleted_at", BIG, nullable=False),
        sa.Column("deleted_by", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("present", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        of_repository("trash_manifests"),
        sa.PrimaryKeyConstraint("id", name="pk_trash_manifests"),
        sqlite_strict=True,
    )
    index("trash_manifests", "repository_id", "digest")
    index("trash_manifests", "deleted_at")


def create_trash_members() -> None:
    op.create_table(
        "trash_members",
        sa.Column("repository_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("deleted_at", BIG, nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        of_repository("trash_members"),
        sa.PrimaryKeyConstraint("repository_id", "digest", name="pk_trash_members"),
        sqlite_strict=True,
    )
    index("trash_members", "digest")
    index("trash_members", "deleted_at")


def create_deleted_repositories() -> None:
    op.create_table(
        "deleted_repositories",
        sa.Column("repository_id", sa.Integer(), nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("deleted_at", BIG, nullable=False),
        sa.Column("deleted_by", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("cleared_at", BIG, nullable=True),
        of_repository("deleted_repositories"),
        sa.PrimaryKeyConstraint("repository_id", name="pk_deleted_repositories"),
        sqlite_strict=True,
    )
    index("deleted_repositories", "name")


def of_repository(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["repository_id"],
        ["repositories.id"],
        name=f"fk_{table}_repository_id",
        ondelete="RESTRICT",
    )


def index(table: str, *columns: str) -> None:
    op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns), unique=False)
