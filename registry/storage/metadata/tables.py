"""The schema, as SQLAlchemy tables.

Digests are kept in their wire form, times as milliseconds since 1970 (``…_at``, ``…_until``).
A row that others need is protected by a foreign key with RESTRICT: a second check under every
delete.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite's STRICT tables know one integer type; PostgreSQL's would overflow at 2 GiB.
Big = BigInteger().with_variant(Integer(), "sqlite")
# Names sort byte by byte ("ASCIIbetical"), as SQLite's text always does.
Name = Text().with_variant(Text(collation="C"), "postgresql")

# Leases end only when wall time *and* enough epochs have passed.  An epoch is counted in monotonic
# time, so that no clock jump ends a lease: it is at least ``watched_ms`` old.
epochs = Table(
    "epochs",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("watched_ms", Big, nullable=False),
    Column("begun_at", Big, nullable=False),
    sqlite_strict=True,
)

repositories = Table(
    "repositories",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Name, nullable=False, unique=True),
    Column("created_at", Big, nullable=False),
    sqlite_strict=True,
)

# A session's row exists before its file, and is taken by the transaction that adds the blob.
# It has the repository's name, not its id: a session alone does not create a repository.
uploads = Table(
    "uploads",
    metadata,
    Column("id", Text, primary_key=True),
    Column("repository", Name, nullable=False),
    Column("identity", Text, nullable=False),
    Column("algorithm", Text, nullable=False),
    Column("created_at", Big, nullable=False),
    Column("idle_epoch", Integer, nullable=False),
    # The network of the session's client; empty if unknown.
    Column("address", Text, nullable=False, server_default=text("''")),
    # Approximate time of its last request; NULL if there was only the first.
    Column("touched_at", Big),
    Column("touched_epoch", Integer),
    Index(None, "identity"),
    Index(None, "address"),
    sqlite_strict=True,
)

blobs = Table(
    "blobs",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("size", Big, nullable=False),
    Column("physical", Text, nullable=False, unique=True),
    Column("state", Text, nullable=False),
    Column("created_at", Big, nullable=False),
    # When its bytes last matched the digest: at a push, or in a scrub.
    Column("verified_at", Big),
    CheckConstraint("state IN ('ok', 'corrupt')", name="state"),
    Index(None, "verified_at"),
    sqlite_strict=True,
)

# Only through its membership is a blob readable in a repository.  In SQL the table has its first
# name, ``repo_blobs``: every root has it, and another would take a migration.
memberships = Table(
    "repo_blobs",
    metadata,
    Column("repository_id", ForeignKey("repositories.id", ondelete="RESTRICT"), primary_key=True),
    Column("digest", ForeignKey("blobs.digest", ondelete="RESTRICT"), primary_key=True),
    Column("pushed_at", Big, nullable=False),
    Column("lease_until", Big, nullable=False),
    Column("lease_epoch", Integer, nullable=False),
    # The upload session that pushed it last: its PUT may be repeated.
    Column("session", Text),
    Index(None, "digest"),
    sqlite_strict=True,
)

manifests = Table(
    "manifests",
    metadata,
    Column("repository_id", ForeignKey("repositories.id", ondelete="RESTRICT"), primary_key=True),
    Column("digest", Text, primary_key=True),
    Column("media_type", Text, nullable=False),
    Column("artifact_type", Text),
    Column("subject", Text),
    Column("annotations", Text, nullable=False),
    Column("pushed_at", Big, nullable=False),
    Column("pushed_by", Text, nullable=False),
    Column("lease_until", Big, nullable=False),
    Column("lease_epoch", Integer, nullable=False),
    Column("size", Integer, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Index(None, "repository_id", "subject", "digest"),
    sqlite_strict=True,
)

# The digests that a manifest names, in order.  ``child`` is always set, and keeps what it names;
# ``blob`` and ``manifest`` link it to the repository's content, once that is there.
manifest_edges = Table(
    "manifest_edges",
    metadata,
    Column("repository_id", Integer, primary_key=True),
    Column("parent", Text, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("child", Text, nullable=False),
    Column("size", Big, nullable=False),
    Column("blob", Text),
    Column("manifest", Text),
    ForeignKeyConstraint(
        ["repository_id", "parent"],
        ["manifests.repository_id", "manifests.digest"],
        ondelete="RESTRICT",
    ),
    ForeignKeyConstraint(
        ["repository_id", "blob"],
        ["repo_blobs.repository_id", "repo_blobs.digest"],
        ondelete="RESTRICT",
    ),
    ForeignKeyConstraint(
        ["repository_id", "manifest"],
        ["manifests.repository_id", "manifests.digest"],
        ondelete="RESTRICT",
    ),
    CheckConstraint("kind IN ('config', 'layer', 'foreign', 'child')", name="kind"),
    CheckConstraint("blob IS NULL OR blob = child", name="blob"),
    CheckConstraint("manifest IS NULL OR manifest = child", name="manifest"),
    Index(None, "repository_id", "child"),
    Index(None, "repository_id", "blob"),
    Index(None, "repository_id", "manifest"),
    # The edges that content is to be linked to when it comes: few, in most repositories.
    Index(
        "ix_manifest_edges_no_blob",
        "repository_id",
        "child",
        sqlite_where=text("blob IS NULL"),
        postgresql_where=text("blob IS NULL"),
    ),
    Index(
        "ix_manifest_edges_no_manifest",
        "repository_id",
        "child",
        sqlite_where=text("manifest IS NULL AND kind = 'child'"),
        postgresql_where=text("manifest IS NULL AND kind = 'child'"),
    ),
    sqlite_strict=True,
)

# Manifests whose bytes do not match their digest: treated as absent until they are pushed again.
corrupt_manifests = Table(
    "corrupt_manifests",
    metadata,
    Column("repository_id", Integer, primary_key=True),
    Column("digest", Text, primary_key=True),
    Column("found_at", Big, nullable=False),
    ForeignKeyConstraint(
        ["repository_id", "digest"],
        ["manifests.repository_id", "manifests.digest"],
        ondelete="CASCADE",
    ),
    sqlite_strict=True,
)

tags = Table(
    "tags",
    metadata,
    Column("repository_id", Integer, primary_key=True),
    Column("name", Name, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("updated_at", Big, nullable=False),
    ForeignKeyConstraint(
        ["repository_id", "digest"],
        ["manifests.repository_id", "manifests.digest"],
        ondelete="RESTRICT",
    ),
    Index(None, "repository_id", "digest"),
    sqlite_strict=True,
)

# Append only.  A NULL digest says that the tag was deleted.
tag_history = Table(
    "tag_history",
    metadata,
    Column("id", Big, primary_key=True),
    Column("repository_id", ForeignKey("repositories.id", ondelete="RESTRICT"), nullable=False),
    Column("tag", Name, nullable=False),
    Column("version", Integer, nullable=False),
    Column("digest", Text),
    Column("changed_at", Big, nullable=False),
    Column("changed_by", Text, nullable=False),
    Index(None, "repository_id", "tag", "version"),
    sqlite_strict=True,
)

# Files that no blob row names any more.  They are removed later, so that a delete can be undone.
trash = Table(
    "trash",
    metadata,
    Column("physical", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("size", Big, nullable=False),
    Column("deleted_at", Big, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("run", Text),
    Index(None, "digest"),
    Index(None, "deleted_at"),
    sqlite_strict=True,
)

# Manifests that were deleted or collected, with everything needed to undelete them: bytes, tags,
# and the digests they named that the repository had.
trash_manifests = Table(
    "trash_manifests",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("repository_id", ForeignKey("repositories.id", ondelete="RESTRICT"), nullable=False),
    Column("digest", Text, nullable=False),
    Column("deleted_at", Big, nullable=False),
    Column("deleted_by", Text, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("tags", Text, nullable=False),
    Column("present", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Index(None, "repository_id", "digest"),
    Index(None, "deleted_at"),
    sqlite_strict=True,
)

# The repositories that a blob was in: undelete returns it to those only.
trash_members = Table(
    "trash_members",
    metadata,
    Column("repository_id", ForeignKey("repositories.id", ondelete="RESTRICT"), primary_key=True),
    Column("digest", Text, primary_key=True),
    Column("deleted_at", Big, nullable=False),
    Column("epoch", Integer, nullable=False),
    Index(None, "digest"),
    Index(None, "deleted_at"),
    sqlite_strict=True,
)

# A deleted repository keeps its rows, under a name that no request can have, until they are deleted
# in batches.  Its own row stays, for the history of its tags.
deleted_repositories = Table(
    "deleted_repositories",
    metadata,
    Column("repository_id", ForeignKey("repositories.id", ondelete="RESTRICT"), primary_key=True),
    Column("name", Name, nullable=False),
    Column("deleted_at", Big, nullable=False),
    Column("deleted_by", Text, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("cleared_at", Big),
    Index(None, "name"),
    sqlite_strict=True,
)

# Append only; each row's hash covers the one before it.
audit = Table(
    "audit",
    metadata,
    Column("id", Big, primary_key=True),
    Column("at", Big, nullable=False),
    Column("identity", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("repository", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("detail", Text, nullable=False, server_default=text("''")),
    Column("hash", Text, nullable=False),
    sqlite_strict=True,
)
