"""Tables: the schema of identities, in the same metadata as the rest."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    text,
)

from registry.storage.metadata.tables import Big, Name
from registry.storage.metadata.tables import metadata as metadata

# Rows that every database has, from its migration on.
EVERYONE_ID: Final = 1
ANONYMOUS_ID: Final = 2

# Users, robots and groups share one namespace.  ``everyone`` stands for all who are signed in.
principals = Table(
    "principals",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Name, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    # A hash, never a password; NULL for none.
    Column("password", Text),
    Column("is_owner", Integer, nullable=False, server_default=text("0")),
    Column("is_auditor", Integer, nullable=False, server_default=text("0")),
    Column("disabled_at", Big),
    Column("created_at", Big, nullable=False),
    Column("created_by", Text, nullable=False),
    # Counts the changes of the row; with a new password, access tokens of the old one end.
    Column("version", Integer, nullable=False),
    CheckConstraint("kind IN ('user', 'robot', 'group', 'everyone', 'anonymous')", name="kind"),
    sqlite_strict=True,
    # The id of a deleted principal is never another's: signed tokens name it.
    sqlite_autoincrement=True,
)

members = Table(
    "members",
    metadata,
    Column("member_id", ForeignKey("principals.id", ondelete="RESTRICT"), primary_key=True),
    Column("group_id", ForeignKey("principals.id", ondelete="RESTRICT"), primary_key=True),
    Index(None, "group_id"),
    sqlite_strict=True,
)

# One role for each principal and pattern.  They add up; none takes away.
grants = Table(
    "grants",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("principal_id", ForeignKey("principals.id", ondelete="RESTRICT"), nullable=False),
    Column("pattern", Name, nullable=False),
    Column("role", Integer, nullable=False),
    Column("created_at", Big, nullable=False),
    Column("created_by", Text, nullable=False),
    CheckConstraint("role BETWEEN 1 AND 5", name="role"),
    Index(None, "principal_id", "pattern", unique=True),
    Index(None, "pattern"),
    sqlite_strict=True,
)

# The hashes of tokens.  ``limits`` narrows one: a JSON list of [role, pattern]; NULL for none.
tokens = Table(
    "tokens",
    metadata,
    Column("id", Text, primary_key=True),
    Column("principal_id", ForeignKey("principals.id", ondelete="RESTRICT"), nullable=False),
    Column("hash", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("limits", Text),
    Column("created_at", Big, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("expires_at", Big),
    Column("last_used_at", Big),
    Column("last_used_from", Text),
    Index(None, "principal_id"),
    sqlite_strict=True,
)

# Tags that may be created and not moved: by a pattern of repositories and a glob of tags.
locks = Table(
    "locks",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Name, nullable=False, unique=True),
    Column("pattern", Name, nullable=False),
    Column("tags", Text, nullable=False),
    Column("created_at", Big, nullable=False),
    Column("created_by", Text, nullable=False),
    Index(None, "pattern"),
    sqlite_strict=True,
)

# The tokens of CI issuers that count here.  Each has a principal, a robot without a token, which
# holds its grants: with it, all access tokens that were got by the trust end.
trusts = Table(
    "trusts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Name, nullable=False, unique=True),
    Column("principal_id", ForeignKey("principals.id", ondelete="RESTRICT"), nullable=False),
    Column("issuer", Text, nullable=False),
    Column("kind", Text, nullable=False),
    # Empty for the address of the registry.
    Column("audience", Text, nullable=False),
    # A JSON object of texts, each equal to a claim.
    Column("claims", Text, nullable=False),
    Column("life_seconds", Integer, nullable=False),
    # Whether the issuer may be on a private network.
    Column("is_private", Integer, nullable=False, server_default=text("0")),
    Column("created_at", Big, nullable=False),
    Column("created_by", Text, nullable=False),
    CheckConstraint("life_seconds BETWEEN 1 AND 3600", name="life_seconds"),
    Index(None, "issuer"),
    Index(None, "principal_id", unique=True),
    sqlite_strict=True,
)

# Keys that access tokens are signed with; the newest signs.
signing_keys = Table(
    "signing_keys",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", LargeBinary, nullable=False),
    Column("created_at", Big, nullable=False),
    sqlite_strict=True,
)
