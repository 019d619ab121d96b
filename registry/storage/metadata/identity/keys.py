"""Signing keys: made by the migration, the same for every server of one database."""

from __future__ import annotations

from sqlalchemy import Connection, select

from registry.storage.metadata.identity.tables import signing_keys


def newest(connection: Connection) -> bytes:
    """The key that signs and verifies."""
    row = signing_keys.c
    return bytes(connection.execute(select(row.key).order_by(row.id.desc()).limit(1)).scalar_one())
