"""Checkpoints: copy the write-ahead log into the database between two transactions.

By default SQLite runs the checkpoint inside the commit that makes the log long: that commit waits,
and a failure is not reported.  Only the writer's connection may run one: before SQLite
3.51.3, two that do may lose a transaction (https://www.sqlite.org/wal.html#walresetbug).
"""

from __future__ import annotations

import sqlite3
import time

from registry.storage.database.lock_times import LockTimes

# Rows changed since the last one; at one to three pages each, a checkpoint takes 5 to 10 ms.
DUE = 150
OVERDUE = 2 * DUE
# SQLite's own checkpoint, for few but large rows.
LAST_RESORT_PAGES = 8_000
PRAGMA = f"wal_autocheckpoint={LAST_RESORT_PAGES}"

PURPOSE = "checkpoint"


class Checkpointer:
    """Decides when the writer's connection checkpoints the log."""

    def __init__(self, lock_times: LockTimes) -> None:
        self._lock_times = lock_times
        self._checkpointed_at = 0

    def checkpoint_if_due(self, connection: sqlite3.Connection, *, idle: bool) -> None:
        """Checkpoint a long log; with units waiting (not ``idle``), only a very long one.

        Raises sqlite3.Error if the disk fails.
        """
        behind = connection.total_changes - self._checkpointed_at
        if behind < (DUE if idle else OVERDUE):
            return
        self._checkpointed_at = connection.total_changes
        started = time.perf_counter()
        try:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        finally:
            self._lock_times.of(PURPOSE).add((time.perf_counter() - started) * 1000)
