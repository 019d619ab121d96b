"""Checkpoints: the write-ahead log is copied into the database, between two transactions.

Left alone, SQLite runs the checkpoint inside the commit that makes the log long: that commit waits
for it, and its failure is not reported.  Only the writer's connection may run one: before SQLite
3.51.3, two that do may lose a transaction (https://www.sqlite.org/wal.html#walresetbug).
"""

from __future__ import annotations

import sqlite3
import time

from registry.storage.database.lock_times import LockTimes

# Rows changed; each leaves one to three pages: a checkpoint of five to ten milliseconds.
DUE = 150
OVERDUE = 2 * DUE
# In case of few rows with much in them.  SQLite's own checkpoint comes at this size of the log.
LAST_RESORT_PAGES = 8_000
PRAGMA = f"wal_autocheckpoint={LAST_RESORT_PAGES}"

PURPOSE = "checkpoint"


class Checkpointer:
    """When one connection checkpoints its log."""

    def __init__(self, lock_times: LockTimes) -> None:
        self._lock_times = lock_times
        self._checkpointed_at = 0

    def checkpoint_if_due(self, connection: sqlite3.Connection, *, idle: bool) -> None:
        """Checkpoint a log that has become long; unless units are waiting, and it is not very long.

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
