"""RecordStore: the contract of whatever says which images, containers and volumes exist."""

from typing import Protocol, TypeVar

from runner.errors import Conflict, Kind, RunnerError
from runner.storage.records.values import ContainerRecord, ImageRecord, VolumeRecord

R = TypeVar("R")


class NameInUse(Conflict):
    """Another container has this name."""

    kind = Kind.NAME_IN_USE

    def __init__(self, name: str, owner: str) -> None:
        super().__init__(
            f'The container name "{name}" is already in use by container "{owner}". '
            "You have to remove (or rename) that container to be able to reuse that name."
        )


class NotRecorded(RunnerError):
    """A change could not be written: the disk is full or failing."""

    def __init__(self, reason: str, *, is_full: bool = False) -> None:
        full = "no space left on device: " if is_full else ""
        super().__init__(
            f"{full}the runner's records cannot be changed: {reason}",
            kind=Kind.NO_SPACE if is_full else None,
        )


class RecordTable(Protocol[R]):
    """The records of one noun, each under its key.

    Reading answers at once, with what was durable last.  A change is awaited: when ``put`` or
    ``remove`` returns, it outlives a power cut; raised, it has not happened, and reading says what
    it said before.  Changes happen one after another, each whole or not at all.

    NotRecorded says that the disk does not take a change.
    """

    def get(self, key: str) -> R | None: ...

    def all(self) -> tuple[R, ...]:
        """Every record, the oldest first; one that was replaced keeps its place."""
        ...

    async def put(self, *records: R) -> None:
        """Add or replace records.  NameInUse for a container's name that another one has."""
        ...

    async def remove(self, *keys: str) -> None:
        """Remove records, also on a full disk; one that is not there is not an error."""
        ...


class RecordStore(Protocol):
    """The tables of one root, held by one daemon at a time.

    Every implementation passes tests/runner/storage/records/test_contract.py.
    """

    @property
    def images(self) -> RecordTable[ImageRecord]: ...

    @property
    def containers(self) -> RecordTable[ContainerRecord]: ...

    @property
    def volumes(self) -> RecordTable[VolumeRecord]: ...


def container_named(records: RecordStore, name: str) -> ContainerRecord | None:
    """The container that has the name."""
    found = (record for record in records.containers.all() if record.name == name)
    return next(found, None)
