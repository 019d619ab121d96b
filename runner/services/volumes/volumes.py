"""Volumes: directories that outlive the containers that use them.

A volume's files are at ``<root>/volumes/<name>/_data``; it exists if it has a record.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import structlog

from runner.errors import Conflict, NoSuchVolume, RunnerError
from runner.services.events import Events
from runner.services.names import check_name, new_id
from runner.services.volumes.copy_up import copy_tree
from runner.storage.files.deletion import remove
from runner.storage.files.durable import sync_filesystem
from runner.storage.files.walk import walk
from runner.storage.records.contract import RecordStore
from runner.storage.records.values import VolumeRecord
from runner.tasks.keyed_locks import KeyedLocks
from runner.tasks.threads import in_thread

log = structlog.get_logger()

_DATA = "_data"
_TEMPORARY_SUFFIX = ".copying"
_GONE = ".gone-"
# Marker in the directory of a volume whose container is being created or removed.  The name stays,
# so that a daemon that is upgraded meanwhile finds it.
_REMOVABLE = ".unclaimed"


class VolumeMount(Protocol):
    """A mount; ``volume`` is a volume's name, or ""."""

    @property
    def volume(self) -> str: ...


class VolumeUser(Protocol):
    """A user of volumes: a container."""

    @property
    def id(self) -> str: ...

    @property
    def mounts(self) -> Sequence[VolumeMount]: ...


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume; ``mountpoint`` is the directory of its files."""

    name: str
    created: datetime
    labels: Mapping[str, str]
    mountpoint: Path
    anonymous: bool = False


@dataclass(frozen=True, slots=True)
class VolumeUsage:
    """The size of a volume's files, and the number of containers using it, running or not."""

    bytes: int
    containers: int


class Volumes:
    """The volumes of this machine.

    A volume exists from its record on, until that goes.
    """

    def __init__(
        self,
        root: Path,
        records: RecordStore,
        events: Events,
        users: Callable[[], Sequence[VolumeUser]] = tuple,
    ) -> None:
        """``users`` tells which containers there are, running or not."""
        self._root = root
        self._records = records
        self._events = events
        self._held: Counter[str] = Counter()
        # A removal deletes the record, then the files: no create may come in between.  Of two
        # fills only one may copy.
        self._locks = KeyedLocks[str]()
        self._users = users

    async def create(
        self,
        name: str = "",
        labels: Mapping[str, str] | None = None,
        *,
        anonymous: bool = False,
        keep: bool = True,
    ) -> Volume:
        """Make a volume; of the same name there is only one, which is returned unchanged.

        Without a name it is anonymous, and called by an ID; so is one whose name is such an ID
        already.  Without ``keep`` it is removed at the daemon's next start, unless a container
        uses it or ``keep`` was called.
        """
        anonymous = anonymous or not name
        name = name or new_id()
        async with self._locks.hold(name):
            existing = self._records.volumes.get(name)
            if existing is not None:
                return self._volume(existing)
            check_name(name, "volume")
            return await self._create(name, labels or {}, anonymous=anonymous, keep=keep)

    async def _create(
        self, name: str, labels: Mapping[str, str], *, anonymous: bool, keep: bool
    ) -> Volume:
        await in_thread(_make, self._root / name / _DATA, keep=keep)
        record = VolumeRecord(
            name, datetime.now(UTC).timestamp(), dict(labels), anonymous=anonymous
        )
        await self._records.volumes.put(record)
        self._events.publish("volume", "create", name, {"driver": "local"})
        return self._volume(record)

    async def keep(self, names: Iterable[str]) -> None:
        """Keep these volumes: their container is recorded."""
        await in_thread(_unmark, [self._root / name for name in names])

    async def mark_for_removal(self, names: Iterable[str]) -> None:
        """Mark these volumes for removal with their container, even if the daemon is killed."""
        await in_thread(_mark, [self._root / name for name in names])

    def find(self, name: str) -> Volume:
        record = self._records.volumes.get(name)
        if record is None:
            raise NoSuchVolume(name)
        return self._volume(record)

    def list(self) -> tuple[Volume, ...]:
        """Every volume, oldest first."""
        return tuple(self._volume(record) for record in self._records.volumes.all())

    def users_of(self, name: str) -> tuple[str, ...]:
        """The IDs of the containers that use a volume, running or not."""
        return tuple(
            user.id for user in self._users() if any(mount.volume == name for mount in user.mounts)
        )

    async def usage(self, name: str) -> VolumeUsage:
        """Measure a volume, file by file; NoSuchVolume if it does not exist."""
        volume = self.find(name)
        size = await in_thread(_bytes, volume.mountpoint)
        return VolumeUsage(size, len(self.users_of(name)))

    async def remove(self, name: str, *, force: bool = False) -> None:
        """Remove a volume and its files; Conflict if it is in use.

        With ``force``, a missing volume is not an error.
        """
        async with self._locks.hold(name):
            if force and self._records.volumes.get(name) is None:
                return
            await self._remove(name)

    async def _remove(self, name: str) -> None:
        volume = self.find(name)
        users = self.users_of(name)
        if users or self._held[name]:
            named = f" - [{', '.join(users)}]" if users else ""
            raise Conflict(f"remove {name}: volume is in use{named}")
        await self._records.volumes.remove(name)
        await in_thread(_remove, volume.mountpoint.parent)
        self._events.publish("volume", "destroy", name, {"driver": "local"})

    async def prune(
        self, matches: Callable[[Volume], bool] | None = None, *, everything: bool = False
    ) -> tuple[tuple[str, ...], int]:
        """Remove unused volumes; returns their names and the bytes freed.

        Only anonymous ones, or with ``everything`` named ones too; of these, those for which
        ``matches`` is true.
        """
        removed, size = [], 0
        for volume in self.list():
            unused = not self.users_of(volume.name) and not self._held[volume.name]
            selected = matches is None or matches(volume)
            if unused and selected and (volume.anonymous or everything):
                freed = await in_thread(_bytes, volume.mountpoint)
                # While it was measured it may have come to be used, or have gone.
                with suppress(Conflict, NoSuchVolume):
                    await self.remove(volume.name)
                    removed.append(volume.name)
                    size += freed
        self._events.publish("volume", "prune", "", {"reclaimed": str(size)})
        return tuple(removed), size

    async def fill(self, name: str, source: Path) -> None:
        """Copy an image's content into a volume, if that is empty and unused.

        Atomic, even if the daemon is killed meanwhile.  Containers made at the same time may share
        a new volume: one fills it, and the others find it filled or used.
        """
        async with self._locks.hold(name):
            volume = self.find(name)
            if not self.users_of(name):
                await in_thread(_fill, volume.mountpoint, source)

    @contextmanager
    def hold(self, names: Sequence[str]) -> Iterator[None]:
        """Protect volumes from removal inside the block, until their container is recorded."""
        self._held.update(names)
        try:
            yield
        finally:
            self._held.subtract(names)
            self._held = +self._held

    async def recover(self) -> None:
        """At the daemon's start: finish interrupted creations and removals.

        Files without a record are kept: losing a record must not lose data.  A volume that cannot
        be finished is logged and left to the next start.
        """
        await in_thread(self._root.mkdir, parents=True, exist_ok=True, mode=0o711)
        for name in await in_thread(os.listdir, self._root):
            try:
                await self._recover(name)
            except (RunnerError, OSError) as error:
                log.warning("volume not recovered", volume=name, error=str(error))

    async def _recover(self, name: str) -> None:
        await in_thread(_finish_removal, self._root / name)
        if self._records.volumes.get(name) is None:
            await in_thread(_remove_if_empty, self._root / name)
        elif await in_thread((self._root / name / _REMOVABLE).exists):
            await self._keep_or_remove(name)

    async def _keep_or_remove(self, name: str) -> None:
        if self.users_of(name):
            await self.keep([name])
        else:
            await self.remove(name)

    def _volume(self, record: VolumeRecord) -> Volume:
        return Volume(
            record.name,
            datetime.fromtimestamp(record.created, UTC),
            record.labels,
            self._root / record.name / _DATA,
            record.anonymous,
        )


def _make(data: Path, *, keep: bool) -> None:
    data.mkdir(parents=True, exist_ok=True)
    if not keep:
        _mark([data.parent])
    # Non-root users of containers must be able to traverse it.
    data.parent.chmod(0o711)
    data.chmod(0o755)
    sync_filesystem(data)


def _fill(data: Path, source: Path) -> None:
    if any(data.iterdir()):
        return
    temporary = data.with_name(_TEMPORARY_SUFFIX)
    if temporary.exists():
        remove(temporary)
    copy_tree(source, temporary)
    sync_filesystem(temporary)
    # Over an empty directory, rename(2) is one step: the volume is empty or complete.
    os.rename(temporary, data)


def _remove(volume: Path) -> None:
    """Remove a volume's files; renamed first, so that a crash leaves no volume half removed."""
    temporary = volume.with_name(f"{_GONE}{volume.name}")
    os.rename(volume, temporary)
    remove(temporary)


def _mark(volumes: Iterable[Path]) -> None:
    for volume in volumes:
        with suppress(FileNotFoundError):
            (volume / _REMOVABLE).touch()


def _unmark(volumes: Iterable[Path]) -> None:
    for volume in volumes:
        (volume / _REMOVABLE).unlink(missing_ok=True)


def _finish_removal(volume: Path) -> None:
    """Finish an interrupted removal, and drop an incomplete copy."""
    if volume.name.startswith(_GONE):
        remove(volume)
    elif (volume / _TEMPORARY_SUFFIX).exists():
        remove(volume / _TEMPORARY_SUFFIX)


def _remove_if_empty(volume: Path) -> None:
    """Remove the empty directory of a volume that was created but not recorded."""
    with suppress(OSError):
        (volume / _DATA).rmdir()
        _unmark([volume])
        volume.rmdir()


def _bytes(data: Path) -> int:
    return sum(entry.stat.st_blocks * 512 for entry in walk(data))
