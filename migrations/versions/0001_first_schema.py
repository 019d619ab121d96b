"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    create_content()
    create_manifests()
    create_tags()
    create_records()


def create_content() -> None:
    """Repositories, and the blobs in them."""
    op.create_table(
        "repositories",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_repositories"),
        sa.UniqueConstraint("name", name="uq_repositories_name"),
        sqlite_strict=True,
    )
    op.create_table(
        "blobs",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("size", BIG, nullable=False),
        sa.Column("physical", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("verified_at", BIG, nullable=True),
        sa.CheckConstraint("state IN ('ok', 'corrupt')", name=op.f("ck_blobs_state")),
        sa.PrimaryKeyConstraint("digest", name="pk_blobs"),
        sa.UniqueConstraint("physical", name="uq_blobs_physical"),
        sqlite_strict=True,
    )
    op.create_table(
        "repo_blobs",
        sa.Column("repository_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("pushed_at", BIG, nullable=False),
        sa.Column("lease_until", BIG, nullable=False),
        sa.Column("lease_epoch", sa.Integer(), nullable=False),
        sa.Column("session", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["digest"], ["blobs.digest"], name="fk_repo_blobs_digest", ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["repository_id"],
            ["repositories.id"],
            name="fk_repo_blobs_repository_id",
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("repository_id", "digest", name="pk_repo_blobs"),
        sqlite_strict=True,
    )
    op.create_index("ix_repo_blobs_digest", "repo_blobs", ["digest"], unique=False)
    op.create_table(
        "uploads",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("repository", NAME, nullable=False),
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("algorithm", sa.Text(), nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("idle_epoch", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_uploads"),
        sqlite_strict=True,
    )
    op.create_table(
        "trash",
        sa.Column("physical", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("size", BIG, nullable=False),
        sa.Column("deleted_at", BIG, nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("run", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("physical", name="pk_trash"),
        sqlite_strict=True,
    )
    op.create_index("ix_trash_digest", "trash", ["digest"], unique=False)


def create_manifests() -> None:
    """Manifests, and what they name."""
    op.create_table(
        "manifests",
        sa.Column("repository_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("artifact_type", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("annotations", sa.Text(), nullable=False),
        sa.Column("pushed_at", BIG, nullable=False),
        sa.Column("pushed_by", sa.Text(), nullable=False),
        sa.Column("lease_until", BIG, nullable=False),
        sa.Column("lease_epoch", sa.Integer(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["repository_id"],
            ["repositories.id"],
            name="fk_manifests_repository_id",
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("repository_id", "digest", name="pk_manifests"),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_manifests_repository_id_subject_digest",
        "manifests",
        ["repository_id", "subject", "digest"],
        unique=False,
    )
    op.create_table(
        "manifest_edges",
        sa.Column("repository_id", sa.Integer(), nullable=False),
        sa.Column("parent", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("child", sa.Text(), nullable=False),
        sa.Column("size", BIG, nullable=False),
        sa.Column("blob", sa.Text(), nullable=True),
        sa.Column("manifest", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('config', 'layer', 'foreign', 'child')", name=op.f("ck_manifest_edges_kind")
        ),
        sa.CheckConstraint("blob IS NULL OR blob = child", name=op.f("ck_manifest_edges_blob")),
        sa.CheckConstraint(
            "manifest IS NULL OR manifest = child", name=op.f("ck_manifest_edges_manifest")
        ),
        sa.ForeignKeyConstraint(
            ["repository_id", "blob"],
            ["repo_blobs.repository_id", "repo_blobs.digest"],
            name="fk_manifest_edges_repository_id_blob",
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["repository_id", "manifest"],
            ["manifests.repository_id", "manifests.digest"],
            name="fk_manifest_edges_repository_id_manifest",
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["repository_id", "parent"],
            ["manifests.repository_id", "manifests.digest"],
            name="fk_manifest_edges_repository_id_parent",
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("repository_id", "parent", "position", name="pk_manifest_edges"),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_manifest_edges_repository_id_blob",
        "manifest_edges",
        ["repository_id", "blob"],
        unique=False,
    )
    op.create_index(
        "ix_manifest_edges_repository_id_child",
        "manifest_edges",
        ["repository_id", "child"],
        unique=False,
    )
    op.create_index(
        "ix_manifest_edges_repository_id_manifest",
        "manifest_edges",
        ["repository_id", "manifest"],
        unique=False,
    )


def create_tags() -> None:
    """Tags, and where they pointed before."""
    op.create_table(
        "tags",
        sa.Column("repository_id", sa.Integer(), nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", BIG, nullable=False),
        sa.ForeignKeyConstraint(
            ["repository_id", "digest"],
            ["manifests.repository_id", "manifests.digest"],
            name="fk_tags_repository_id_digest",
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("repository_id", "name", name="pk_tags"),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_tags_repository_id_digest", "tags", ["repository_id", "digest"], unique=False
    )
    op.create_table(
        "tag_history",
        sa.Column("id", BIG, nullable=False),
        sa.Column("repository_id", sa.Integer(), nullable=False),
        sa.Column("tag", NAME, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=True),
        sa.Column("changed_at", BIG, nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["repository_id"],
            ["repositories.id"],
            name="fk_tag_history_repository_id",
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_tag_history"),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_tag_history_repository_id_tag_version",
        "tag_history",
        ["repository_id", "tag", "version"],
        unique=False,
    )


def create_records() -> None:
    """Time, and who did what."""
    op.create_table(
        "epochs",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("boot", sa.Text(), nullable=False),
        sa.Column("monotonic_ms", BIG, nullable=False),
        sa.Column("begun_at", BIG, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_epochs"),
        sqlite_strict=True,
    )
    op.create_table(
        "audit",
        sa.Column("id", BIG, nullable=False),
        sa.Column("at", BIG, nullable=False),
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("repository", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
        sqlite_strict=True,
    )
