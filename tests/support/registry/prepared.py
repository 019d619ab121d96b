"""A prepared root, the files of one, and a database without tables."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from registry.storage.disk.root import Root
from registry.storage.prepare import prepare_database


def prepare(path: Path) -> None:
    with Root.open(path) as root:
        prepare_database(root)


def tree(path: Path) -> dict[str, int]:
    """Every file under a root but the lock, with its size."""
    return {
        os.path.relpath(os.path.join(folder, name), path): (Path(folder) / name).stat().st_size
        for folder, _, names in os.walk(path)
        for name in names
        if name != "lock"
    }


def without_tables(database: Path) -> None:
    database.unlink()
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
