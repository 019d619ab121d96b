"""Audit: one row per change, with identity, time and epoch, in a chain of hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select

from registry.storage.clock import Clock
from registry.storage.metadata import epochs
from registry.storage.metadata.tables import audit
from registry.storage.retention import Lease

# The identity of changes by collection, in the audit and in the trash.
GARBAGE_COLLECTOR = "garbage collector"

FIELDS = ("at", "identity", "action", "repository", "target", "detail")
"""The columns that a hash covers, in its order."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change: its identity, wall time in milliseconds, and epoch."""

    identity: str
    at: int
    epoch: int
    lease_ms: int = 0
    """The length of the leases that it gives; 0 for a change that gives none."""

    @property
    def lease(self) -> Lease:
        """For each blob or manifest that it pushes, although nothing names that yet."""
        return Lease.begin(self.at, self.epoch, self.lease_ms)

    @classmethod
    def begin(
        cls,
        connection: Connection,
        identity: str,
        clock: Clock,
        lease_ms: int = 0,
    ) -> Change:
        """Begin the change that the current transaction makes."""
        return cls(identity, clock.wall_ms(), epochs.current(connection), lease_ms)


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One row, as it is stored."""

    id: int
    at: int
    identity: str
    action: str
    repository: str
    target: str
    detail: str
    hash: str


def append(
    connection: Connection,
    change: Change,
    action: str,
    repository: str,
    target: str,
    detail: str = "",
) -> None:
    """Append one row to the audit, in the change's own transaction.

    Each hash covers the row before it: altering a row, or removing one in the middle, makes every
    later hash wrong.
    """
    latest = select(audit.c.hash).order_by(audit.c.id.desc()).limit(1)
    row = {
        "at": change.at,
        "identity": change.identity,
        "action": action,
        "repository": repository,
        "target": target,
        "detail": detail,
    }
    row["hash"] = chained(connection.scalar(latest) or "", row)
    connection.execute(insert(audit), row)


def chained(previous: str, row: Mapping[str, object]) -> str:
    """The hash of an audit row that follows another."""
    # Each value is preceded by its length, so that two different rows never hash alike.
    fields = [previous, *(str(row[key]) for key in FIELDS)]
    line = "".join(f"{len(field)}:{field}" for field in fields)
    return hashlib.sha256(line.encode()).hexdigest()


def oldest_first(connection: Connection, start: int, many: int) -> list[AuditRow]:
    """The first rows whose id is ``start`` or more."""
    query = _ROWS.where(audit.c.id >= start).order_by(audit.c.id).limit(many)
    return [AuditRow(**row) for row in connection.execute(query).mappings()]


def newest_first(
    connection: Connection, before: int | None, *, since: int, identity: str | None, many: int
) -> list[AuditRow]:
    """The last rows whose id is less than ``before``, of a time and an identity."""
    query = _ROWS.where(audit.c.at >= since)
    if before is not None:
        query = query.where(audit.c.id < before)
    if identity is not None:
        query = query.where(audit.c.identity == identity)
    query = query.order_by(audit.c.id.desc()).limit(many)
    return [AuditRow(**row) for row in connection.execute(query).mappings()]


def first_since(connection: Connection, since: int) -> int | None:
    """The id of the first row of that time or later; all rows after it have a greater id."""
    found: int | None = connection.scalar(select(func.min(audit.c.id)).where(audit.c.at >= since))
    return found


def hash_before(connection: Connection, id: int) -> str:
    """The hash of the row before; empty before the first."""
    query = select(audit.c.hash).where(audit.c.id < id).order_by(audit.c.id.desc()).limit(1)
    return connection.scalar(query) or ""


_ROWS = select(audit.c.id, *(audit.c[name] for name in FIELDS), audit.c.hash)
