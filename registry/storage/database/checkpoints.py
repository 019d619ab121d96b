"""Folding: the write-ahead log goes back into the database, between two transactions.

Left alone, SQLite folds inside the commit that makes the log long: whoever that is waits for it,
and nobody hears when it fails.  Only the writer's connection may fold: before SQLite 3.51.3,
two that do may lose a transaction (https://www.sqlite.org/wal.html#walresetbug).
"""

from __future__ import annotations

import sqlite3
import time

from registry.storage.database.lock_times import Holds

# Rows changed, of which each leaves one to three pages: a fold of five to ten milliseconds.
DUE = 150
OVERDUE = 2 * DUE
# In case of few rows with much in them.  The size of the log at which SQLite folds all the same.
LAST_RESORT_PAGES = 8_000
PRAGMA = f"wal_autocheckpoint={LAST_RESORT_PAGES}"

PURPOSE = "fold"


class Folding:
    """When one connection folds its log."""

    def __init__(self, holds: Holds) -> None:
        self._holds = holds
        self._folded_at = 0

    def fold_if_due(self, connection: sqlite3.Connection, *, idle: bool) -> None:
        """Fold a log that has become long; unless units are waiting, and it is not very long.

        Raises sqlite3.Error if the disk fails.
        """
        behind = connection.total_changes - self._folded_at
        if behind < (DUE if idle else OVERDUE):
            return
        self._folded_at = connection.total_changes
        started = time.perf_counter()
        try:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        finally:
            self._holds.of(PURPOSE).add((time.perf_counter() - started) * 1000)
