"""Records of images, containers and volumes.

SQLite in WAL mode with synchronous=FULL.  All records are loaded at the start and read from
memory; a change is committed before it is visible in memory.
"""

import fcntl
import json
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

from runner.errors import RunnerError
from runner.storage.files.reserve import Reserve
from runner.storage.records.contract import NameInUse, NotRecorded
from runner.storage.records.values import (
    SCHEMA_VERSION,
    ContainerRecord,
    ImageRecord,
    Record,
    VolumeRecord,
)
from runner.tasks.threads import in_executor


class RecordsUnusable(RunnerError):
    """The records cannot be opened: locked by another daemon, or written by a newer version."""


R = TypeVar("R", bound=Record)


class Table(Generic[R]):
    """The records of one kind, in memory and in the database.

    Changes run one at a time in the writer thread: check, commit, then update memory.
    """

    def __init__(
        self,
        records: "Records",
        name: str,
        record: type[R],
        check: Callable[["Table[R]", R], None] | None = None,
    ) -> None:
        self._records = records
        self._name = name
        self._check = check
        rows = records.connection.execute(f"SELECT key, document FROM {name} ORDER BY rowid")  # noqa: S608 — our own table names
        self._rows = {key: record.from_json(json.loads(text)) for key, text in rows}

    def get(self, key: str) -> R | None:
        return self._rows.get(key)

    def all(self) -> tuple[R, ...]:
        """Every record, oldest first."""
        return tuple(self._rows.values())

    async def put(self, *records: R) -> None:
        """Add or replace records, atomically."""
        await self._records.in_writer(partial(self._put, records))

    async def remove(self, *keys: str) -> None:
        """Remove records, atomically; a missing one is not an error.

        Uses the reserve on a full disk, since a removal frees space.
        """
        await self._records.in_writer(partial(self._remove, keys), with_reserve=True)

    def _put(self, records: tuple[R, ...]) -> None:
        if self._check is not None:
            for record in records:
                self._check(self, record)
        # An upsert keeps the record's position; REPLACE would move it behind newer ones.
        statement = (
            f"INSERT INTO {self._name} (key, document) VALUES (?, ?) "  # noqa: S608 — as above
            "ON CONFLICT (key) DO UPDATE SET document = excluded.document"
        )
        rows = [(record.key, json.dumps(record.to_json())) for record in records]
        with self._records.connection as transaction:
            transaction.executemany(statement, rows)
        self._rows = {**self._rows, **{record.key: record for record in records}}

    def _remove(self, keys: tuple[str, ...]) -> None:
        statement = f"DELETE FROM {self._name} WHERE key = ?"  # noqa: S608 — as above
        with self._records.connection as transaction:
            transaction.executemany(statement, [(key,) for key in keys])
        self._rows = {key: record for key, record in self._rows.items() if key not in keys}


class Records:
    """All tables of one root, locked by one daemon at a time.

    Reads are synchronous, from memory; writes are awaited, atomic and durable.
    """

    def __init__(self, path: Path) -> None:
        self._lock = _lock_file(path.with_name(path.name + ".lock"))
        try:
            _make_private(path)
            self.connection = _connect(path)
        except sqlite3.Error as error:
            os.close(self._lock)
            raise RecordsUnusable(f"{path}: {error}") from error
        except BaseException:
            os.close(self._lock)
            raise
        self._reserve = Reserve(path.with_name(path.name + ".reserve"))
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="records")
        self.images = Table(self, "images", ImageRecord)
        self.containers = Table(self, "containers", ContainerRecord, _check_name)
        self.volumes = Table(self, "volumes", VolumeRecord)

    def close(self) -> None:
        """Finish writes in progress and unlock the root."""
        self._writer.shutdown()
        self.connection.close()
        os.close(self._lock)

    async def in_writer(self, change: Callable[[], None], *, with_reserve: bool = False) -> None:
        """Run a change in the writer thread; NotRecorded if it cannot be written.

        Memory is then unchanged.  ``with_reserve`` frees the reserve and retries on a full disk.
        """
        work = partial(self._change_with_reserve, change) if with_reserve else change
        try:
            await in_executor(self._writer, work)
        except sqlite3.Error as error:
            is_full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
            raise NotRecorded(str(error), is_full=is_full) from error

    def _change_with_reserve(self, change: Callable[[], None]) -> None:
        try:
            change()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
                raise
            self._reserve.give_up()
            # A checkpoint frees the WAL's space, before the change and for the next reserve.
            self._checkpoint()
            change()
            self._checkpoint()
        self._reserve.fill()

    def _checkpoint(self) -> None:
        with suppress(sqlite3.OperationalError):
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _check_name(containers: Table[ContainerRecord], record: ContainerRecord) -> None:
    owner = _name_owner(containers, record.name)
    if owner is not None and owner.id != record.id:
        raise NameInUse(record.name, owner.id)


def _name_owner(containers: Table[ContainerRecord], name: str) -> ContainerRecord | None:
    return next((record for record in containers.all() if record.name == name), None)


def _lock_file(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise RecordsUnusable(f"{path.parent} is in use by another daemon") from None
    return descriptor


def _make_private(path: Path) -> None:
    """Make the database and its WAL readable by root only: environments contain passwords.

    SQLite creates the WAL with the mode of the database.  Corrects files of earlier versions.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    for file in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        with suppress(FileNotFoundError):
            file.chmod(0o600)


def _connect(path: Path) -> sqlite3.Connection:
    # Never used by two threads at once: read at the start, then written by the writer.
    connection = sqlite3.connect(path, check_same_thread=False)
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > SCHEMA_VERSION:
        connection.close()
        raise RecordsUnusable(
            f"{path} has schema version {version}, this runner knows up to {SCHEMA_VERSION}"
        )
    connection.execute("PRAGMA synchronous = FULL")
    if version == SCHEMA_VERSION:
        # Write nothing: the daemon must start on a full disk, to free space.
        return connection
    connection.execute("PRAGMA journal_mode = WAL")
    with connection:
        for table in ("images", "containers", "volumes"):
            connection.execute(
                f"CREATE TABLE IF NOT EXISTS {table} "
                "(key TEXT PRIMARY KEY, document TEXT NOT NULL) STRICT"
            )
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    return connection
