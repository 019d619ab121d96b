"""Locks: tags that may be created, and then neither moved nor deleted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from oci.reference import RepositoryName
from registry.auth.globs import Glob
from registry.auth.patterns import Pattern, matching
from registry.storage.metadata.audit import Change
from registry.storage.metadata.identity.tables import locks


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock's row."""

    name: str
    pattern: Pattern
    tags: Glob
    created_at: int
    created_by: str


_COLUMNS = (
    locks.c.name,
    locks.c.pattern,
    locks.c.tags,
    locks.c.created_at,
    locks.c.created_by,
)


def _lock(row: Any) -> Lock:
    return Lock(row[0], Pattern(row[1]), Glob(row[2]), row[3], row[4])


def put(connection: Connection, change: Change, name: str, pattern: Pattern, tags: Glob) -> bool:
    """Add a lock, or replace the one of this name; True if it is new."""
    values = {
        "pattern": str(pattern),
        "tags": str(tags),
        "created_at": change.at,
        "created_by": change.identity,
    }
    changed = connection.execute(update(locks).where(locks.c.name == name).values(**values))
    if changed.rowcount:
        return False
    connection.execute(insert(locks).values(name=name, **values))
    return True


def remove(connection: Connection, name: str) -> bool:
    """False if there is none."""
    return connection.execute(delete(locks).where(locks.c.name == name)).rowcount == 1


def listed(connection: Connection) -> list[Lock]:
    """Every lock, by name."""
    query = select(*_COLUMNS).order_by(locks.c.name)
    return [_lock(row) for row in connection.execute(query)]


def of_repository(connection: Connection, name: RepositoryName) -> list[Lock]:
    """The locks whose pattern matches a repository, by name."""
    query = select(*_COLUMNS).where(locks.c.pattern.in_(matching(str(name))))
    return [_lock(row) for row in connection.execute(query.order_by(locks.c.name))]


def find(found: Sequence[Lock], tag: str) -> Lock | None:
    """The first of some locks that holds a tag."""
    return next((lock for lock in found if lock.tags.matches(tag)), None)
