"""Audit: one row per change, with identity, time and epoch, in a chain of hashes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from registry.storage.clock import Clock
from registry.storage.metadata import epochs
from registry.storage.metadata.tables import audit
from registry.storage.retention import Lease

# The identity of changes by collection, in the audit and in the trash.
GARBAGE_COLLECTOR = "garbage collector"


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


def chained(previous: str, row: dict[str, object]) -> str:
    """The hash of an audit row that follows another."""
    keys = ("at", "identity", "action", "repository", "target", "detail")
    # Each value is preceded by its length, so that two different rows never hash alike.
    fields = [previous, *(str(row[key]) for key in keys)]
    line = "".join(f"{len(field)}:{field}" for field in fields)
    return hashlib.sha256(line.encode()).hexdigest()
