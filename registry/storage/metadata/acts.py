"""Acts: who changes something, and when; and the record of it that nobody can rewrite."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select

from registry.storage.metadata.tables import audit, epochs

# A just-pushed blob or manifest that nothing names yet is kept this long.
LEASE_MS = 24 * 60 * 60 * 1000


@dataclass(frozen=True, slots=True)
class Act:
    """One change: whose, when by the wall clock, and in which epoch."""

    identity: str
    at: int
    epoch: int

    @property
    def lease_until(self) -> int:
        return self.at + LEASE_MS


def begin(connection: Connection, identity: str) -> Act:
    """The act that the current transaction carries out."""
    epoch = connection.scalar(select(func.coalesce(func.max(epochs.c.number), 0)))
    return Act(identity, time.time_ns() // 1_000_000, epoch or 0)


def record(
    connection: Connection, act: Act, action: str, repository: str, target: str, detail: str = ""
) -> None:
    """Append to the audit: one row for each change, in the change's own transaction.

    Every row's hash covers the row before it, so that a row cannot be altered, nor one in the
    middle removed, without every later hash being wrong.
    """
    latest = select(audit.c.hash).order_by(audit.c.id.desc()).limit(1)
    row = {
        "at": act.at,
        "identity": act.identity,
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
    # Length before value: no two rows can be written alike.
    fields = [previous, *(str(row[key]) for key in keys)]
    line = "".join(f"{len(field)}:{field}" for field in fields)
    return hashlib.sha256(line.encode()).hexdigest()
