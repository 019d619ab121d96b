"""Disk errors: SQLite's result codes for a failed disk.

https://www.sqlite.org/rescode.html
"""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DatabaseError

# Errors of the disk, or of a file that a failing disk has corrupted.
FAILURES = frozenset(
    {
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
    }
)


def code_of(error: DatabaseError | sqlite3.Error) -> int:
    """SQLite's primary result code; SQLITE_FULL also where the log's index found no room."""
    code: int = getattr(getattr(error, "orig", error), "sqlite_errorcode", 0)
    return sqlite3.SQLITE_FULL if code == sqlite3.SQLITE_IOERR_SHMSIZE else code & 0xFF
