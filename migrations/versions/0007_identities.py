"""Identities: principals, groups, grants, tokens, locks of tags, and the keys that sign."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "principals",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("password", sa.Text(), nullable=True),
        sa.Column("is_owner", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("is_auditor", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("disabled_at", BIG, nullable=True),
        *created(),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('user', 'robot', 'group', 'everyone', 'anonymous')",
            name=op.f("ck_principals_kind"),
        ),
        sa.PrimaryKeyConstraint("id", name="pk_principals"),
        sa.UniqueConstraint("name", name="uq_principals_name"),
        sqlite_strict=True,
        sqlite_autoincrement=True,
    )
    op.execute(
        "INSERT INTO principals (id, name, kind, created_at, created_by, version)"
        " VALUES (1, 'everyone', 'everyone', 0, '', 1), (2, 'anonymous', 'anonymous', 0, '', 1)"
    )
    op.create_table(
        "members",
        principal("member_id"),
        principal("group_id"),
        foreign("members", "member_id"),
        foreign("members", "group_id"),
        sa.PrimaryKeyConstraint("member_id", "group_id", name="pk_members"),
        sqlite_strict=True,
    )
    op.create_index("ix_members_group_id", "members", ["group_id"], unique=False)
    op.create_table(
        "grants",
        sa.Column("id", sa.Integer(), nullable=False),
        principal("principal_id"),
        sa.Column("pattern", NAME, nullable=False),
        sa.Column("role", sa.Integer(), nullable=False),
        *created(),
        sa.CheckConstraint("role BETWEEN 1 AND 5", name=op.f("ck_grants_role")),
        foreign("grants", "principal_id"),
        sa.PrimaryKeyConstraint("id", name="pk_grants"),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_grants_principal_id_pattern", "grants", ["principal_id", "pattern"], unique=True
    )
    op.create_index("ix_grants_pattern", "grants", ["pattern"], unique=False)
    op.create_table(
        "tokens",
        sa.Column("id", sa.Text(), nullable=False),
        principal("principal_id"),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("limits", sa.Text(), nullable=True),
        *created(),
        sa.Column("expires_at", BIG, nullable=True),
        sa.Column("last_used_at", BIG, nullable=True),
        sa.Column("last_used_from", sa.Text(), nullable=True),
        foreign("tokens", "principal_id"),
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
        sqlite_strict=True,
    )
    op.create_index("ix_tokens_principal_id", "tokens", ["principal_id"], unique=False)
    op.create_table(
        "locks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("pattern", NAME, nullable=False),
        sa.Column("tags", sa.Text(), nullable=False),
        *created(),
        sa.PrimaryKeyConstraint("id", name="pk_locks"),
        sa.UniqueConstraint("name", name="uq_locks_name"),
        sqlite_strict=True,
    )
    op.create_index("ix_locks_pattern", "locks", ["pattern"], unique=False)
    op.create_table(
        "signing_keys",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_signing_keys"),
        sqlite_strict=True,
    )
    # Made here, so that a registry whose disk takes no write verifies tokens all the same.
    keys = sa.table("signing_keys", sa.column("key", sa.LargeBinary), sa.column("created_at", BIG))
    op.bulk_insert(keys, [{"key": secrets.token_bytes(32), "created_at": 0}])


def created() -> tuple[sa.Column[int], sa.Column[str]]:
    return (
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
    )


def principal(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False)


def foreign(table: str, column: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], ["principals.id"], name=f"fk_{table}_{column}", ondelete="RESTRICT"
    )
