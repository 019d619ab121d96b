"""The version of SQLite that this process has, and a bug that older ones have.

https://www.sqlite.org/wal.html#walresetbug
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

FIXED = (3, 51, 3)


def problem_of(version: Sequence[int] = sqlite3.sqlite_version_info) -> str | None:
    """A sentence if this SQLite is older than its fix of a bug that damages databases."""
    if tuple(version) >= FIXED:
        return None
    found, expected = (".".join(map(str, each)) for each in (version, FIXED))
    return (
        f"SQLite {found} can damage a database that several connections write, expected "
        f"{expected} or newer: this registry writes with one, an administrator's tools might not"
    )
