"""MemoryRecords: a RecordStore of dictionaries, for tests; it ends with its object."""

from collections.abc import Callable
from typing import Generic, TypeVar

from runner.storage.records.contract import NameInUse
from runner.storage.records.values import ContainerRecord, ImageRecord, Record, VolumeRecord

R = TypeVar("R", bound=Record)


class MemoryTable(Generic[R]):
    """One noun's records."""

    def __init__(self, check: Callable[[dict[str, R], R], None] | None = None) -> None:
        self._rows: dict[str, R] = {}
        self._check = check

    def get(self, key: str) -> R | None:
        return self._rows.get(key)

    def all(self) -> tuple[R, ...]:
        return tuple(self._rows.values())

    async def put(self, *records: R) -> None:
        rows = dict(self._rows)
        for record in records:
            if self._check is not None:
                self._check(rows, record)
        self._rows = {**rows, **{record.key: record for record in records}}

    async def remove(self, *keys: str) -> None:
        self._rows = {key: record for key, record in self._rows.items() if key not in keys}


class MemoryRecords:
    """All tables, in memory."""

    def __init__(self) -> None:
        self.images = MemoryTable[ImageRecord]()
        self.containers = MemoryTable[ContainerRecord](_check_name)
        self.volumes = MemoryTable[VolumeRecord]()


def _check_name(rows: dict[str, ContainerRecord], record: ContainerRecord) -> None:
    for other in rows.values():
        if other.name == record.name and other.id != record.id:
            raise NameInUse(record.name, other.id)
