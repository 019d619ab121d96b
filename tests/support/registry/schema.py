"""New databases for tests: migrated once in a process, then copied."""

from __future__ import annotations

import functools
import os
from pathlib import Path

from registry.storage.database import schema
from tests.support.memory import fast_directory


def upgrade(database: Path) -> None:
    """Do as ``schema.upgrade`` does; a new database is a copy of a migrated one.

    The migrations took 40 to 60 ms of CPU, and nearly every test of the registry makes a database.
    """
    if database.exists():
        schema.upgrade(database)
        return
    descriptor = os.open(database, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:
        file.write(_migrated())


@functools.cache
def _migrated() -> bytes:
    with fast_directory() as directory:
        database = Path(directory) / "db"
        schema.upgrade(database)
        assert os.listdir(directory) == ["db"], "the log is not checkpointed yet"
        return database.read_bytes()
