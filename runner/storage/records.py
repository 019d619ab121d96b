"""Records: which images, containers and volumes exist.

SQLite through the standard library, in WAL mode with synchronous=FULL.  Everything is read
at the start and then answered from memory; a change is durable before memory shows it.
"""

import fcntl
import json
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, Generic, Protocol, Self, TypeVar

from oci.descriptor import Descriptor
from oci.digest import Digest
from runner.errors import Conflict, Kind, RunnerError
from runner.storage.files.reserve import Reserve
from runner.tasks.threads import in_executor

SCHEMA_VERSION: Final = 1

Document = dict[str, Any]


class NameInUse(Conflict):
    """Another container has this name."""

    kind = Kind.NAME_IN_USE

    def __init__(self, name: str, owner: str) -> None:
        super().__init__(
            f'The container name "{name}" is already in use by container "{owner}". '
            "You have to remove (or rename) that container to be able to reuse that name."
        )


class NotRecorded(RunnerError):
    """The disk does not take a change: it is full, or failing."""

    def __init__(self, error: sqlite3.Error) -> None:
        is_full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
        full = "no space left on device: " if is_full else ""
        super().__init__(
            f"{full}the runner's records cannot be changed: {error}",
            kind=Kind.NO_SPACE if is_full else None,
        )


class RecordsUnusable(RunnerError):
    """The records cannot be opened: held by another daemon, or written by a newer one."""


class Record(Protocol):
    """A frozen value with a key, that turns into a JSON document and back."""

    @property
    def key(self) -> str: ...

    def to_json(self) -> Document: ...

    @classmethod
    def from_json(cls, document: Document) -> Self: ...


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """A reference, what it points to at its registry, and which image of ours that is.

    ``target`` is an index or a manifest; ``manifest`` the one for the platform that was
    chosen; ``updated`` when this reference was last pointed, in seconds since the epoch.
    """

    reference: str
    target: Descriptor
    manifest: Digest
    image_id: Digest
    updated: float

    @property
    def key(self) -> str:
        return self.reference

    def to_json(self) -> Document:
        return {
            "reference": self.reference,
            "target": self.target.to_json(),
            "manifest": str(self.manifest),
            "image_id": str(self.image_id),
            "updated": self.updated,
        }

    @classmethod
    def from_json(cls, document: Document) -> Self:
        return cls(
            document["reference"],
            Descriptor.from_json(document["target"], "target"),
            Digest.parse(document["manifest"]),
            Digest.parse(document["image_id"]),
            document["updated"],
        )


@dataclass(frozen=True, slots=True)
class ContainerRecord:
    """A container: what was asked for (``desired``) apart from what was seen (``observed``).

    Both are documents of the services' own, kept as given; ``schema_version`` says which
    version of the services wrote them.
    """

    id: str
    name: str
    desired: Document
    observed: Document
    schema_version: int = SCHEMA_VERSION

    @property
    def key(self) -> str:
        return self.id

    def to_json(self) -> Document:
        return {
            "id": self.id,
            "name": self.name,
            "desired": self.desired,
            "observed": self.observed,
            "schema_version": self.schema_version,
        }

    @classmethod
    def from_json(cls, document: Document) -> Self:
        return cls(**document)


@dataclass(frozen=True, slots=True)
class VolumeRecord:
    """A named volume; its files are under the root, at ``volumes/<name>/_data``."""

    name: str
    created: float
    labels: dict[str, str] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)
    anonymous: bool = False

    @property
    def key(self) -> str:
        return self.name

    def to_json(self) -> Document:
        return {
            "name": self.name,
            "created": self.created,
            "labels": self.labels,
            "options": self.options,
            "anonymous": self.anonymous,
        }

    @classmethod
    def from_json(cls, document: Document) -> Self:
        return cls(**document)


R = TypeVar("R", bound=Record)


class Table(Generic[R]):
    """The records of one noun, in memory and in the database.

    Changes run one after another in the writer thread: check, commit, then show.
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
        """Every record, the oldest first."""
        return tuple(self._rows.values())

    async def put(self, *records: R) -> None:
        """Add or replace records: all of them or none."""
        await self._records.in_writer(partial(self._put, records))

    async def remove(self, *keys: str) -> None:
        """Remove records, all of them or none; one that is not there is not an error.

        On a full disk too: whatever a record was of is removed to make room.
        """
        await self._records.in_writer(partial(self._remove, keys), with_reserve=True)

    def _put(self, records: tuple[R, ...]) -> None:
        if self._check is not None:
            for record in records:
                self._check(self, record)
        # An upsert and not a REPLACE, which would move the record behind newer ones.
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
    """All tables of one root, held by one daemon at a time.

    Reading is synchronous and from memory; writing is awaited, atomic and durable.
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
        """Finish the writes under way and let the root go."""
        self._writer.shutdown()
        self.connection.close()
        os.close(self._lock)

    async def in_writer(self, change: Callable[[], None], *, with_reserve: bool = False) -> None:
        """Raises NotRecorded when the disk refuses; memory then says what it said before.

        ``with_reserve`` gives up the reserve to a change that a full disk refused.
        """
        work = partial(self._change_with_reserve, change) if with_reserve else change
        try:
            await in_executor(self._writer, work)
        except sqlite3.Error as error:
            raise NotRecorded(error) from error

    def _change_with_reserve(self, change: Callable[[], None]) -> None:
        try:
            change()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
                raise
            self._reserve.give_up()
            # The log gives its room back, before the change and after it, for the next reserve.
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
    """See that only root reads the records and their log: environments have passwords in them.

    SQLite gives its log the mode of the database.  Those of an earlier version are mended.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    for file in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        with suppress(FileNotFoundError):
            file.chmod(0o600)


def _connect(path: Path) -> sqlite3.Connection:
    # The loop reads at the start, the writer thread writes: never both at once.
    connection = sqlite3.connect(path, check_same_thread=False)
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > SCHEMA_VERSION:
        connection.close()
        raise RecordsUnusable(
            f"{path} has schema version {version}, this runner knows up to {SCHEMA_VERSION}"
        )
    connection.execute("PRAGMA synchronous = FULL")
    if version == SCHEMA_VERSION:
        # Nothing is written: a daemon must start on a full disk, to make room on it.
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
