"""The contract RecordStore, on every implementation: SQLite, and memory."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.storage.records.contract import NameInUse, RecordStore, container_named
from runner.storage.records.sqlite import Records
from runner.storage.records.values import ContainerRecord, VolumeRecord
from tests.support.runner.memory_records import MemoryRecords


@pytest.fixture(params=["sqlite", "memory"])
def records(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RecordStore]:
    if request.param == "memory":
        yield MemoryRecords()
        return
    records = Records(tmp_path / "records.db")
    yield records
    records.close()


def container(identity: str, name: str, **observed: object) -> ContainerRecord:
    return ContainerRecord(identity, name, {"image": "app"}, dict(observed))


async def test_a_record_is_replaced_in_its_place(records: RecordStore) -> None:
    for identity in ("a", "b", "c"):
        await records.containers.put(container(identity, identity))

    await records.containers.put(container("a", "a", state="stopped"))

    assert [record.id for record in records.containers.all()] == ["a", "b", "c"]
    assert records.containers.get("a") == container("a", "a", state="stopped")


async def test_a_name_belongs_to_one_container(records: RecordStore) -> None:
    await records.containers.put(container("1", "web"))

    with pytest.raises(NameInUse, match='"web" is already in use by container "1"'):
        await records.containers.put(container("2", "web"))

    assert records.containers.get("2") is None
    assert container_named(records, "web") == container("1", "web")


async def test_of_two_that_want_a_name_at_once_one_gets_it(records: RecordStore) -> None:
    wanted = [records.containers.put(container(str(number), "web")) for number in range(8)]

    outcomes = await asyncio.gather(*wanted, return_exceptions=True)

    assert len(records.containers.all()) == 1
    assert sum(isinstance(outcome, NameInUse) for outcome in outcomes) == 7


async def test_a_container_may_be_renamed_and_its_name_taken_again(records: RecordStore) -> None:
    await records.containers.put(container("1", "web"))
    await records.containers.put(container("1", "old-web"))
    await records.containers.put(container("2", "web"))

    assert container_named(records, "web") == container("2", "web")


async def test_several_records_are_put_together_or_not_at_all(records: RecordStore) -> None:
    await records.containers.put(container("1", "web"))

    with pytest.raises(NameInUse):
        await records.containers.put(container("2", "db"), container("3", "web"))

    assert [record.id for record in records.containers.all()] == ["1"]


async def test_a_record_is_there_until_it_is_removed(records: RecordStore) -> None:
    kept, gone = VolumeRecord("kept", 2.5, {"a": "b"}, anonymous=True), VolumeRecord("gone", 1.5)
    await records.volumes.put(kept, gone)

    await records.volumes.remove("gone", "never there")

    assert records.volumes.all() == (kept,)
    assert (records.volumes.get("kept"), records.volumes.get("gone")) == (kept, None)
    assert container_named(records, "web") is None
