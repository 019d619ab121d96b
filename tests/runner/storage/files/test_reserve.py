"""A full disk: removals make room on it, and so they must work there."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.linux.mounts import Mount, mount, unmount
from runner.storage.files.reserve import RESERVE_BYTES, Reserve
from runner.storage.records.contract import NotRecorded
from runner.storage.records.sqlite import Records
from runner.storage.records.values import ContainerRecord

pytestmark = pytest.mark.needs_root


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    mount(Mount("tmpfs", "tmpfs", ("size=4m",)), place)
    yield place
    unmount(place)


def fill(disk: Path) -> None:
    for chunk in (1 << 16, 1 << 12):
        with open(disk / f"filler-{chunk}", "wb", buffering=0) as file:
            try:
                while file.write(bytes(chunk)) == chunk:
                    continue
            except OSError:
                continue


async def refused_after(records: Records) -> int:
    """How many more records the disk takes; 200 if it takes as many."""
    for number in range(200):
        try:
            await records.containers.put(ContainerRecord(f"n{number}", "y" * 4000, {}, {}))
        except NotRecorded:
            return number
    return 200


async def test_records_are_removed_on_a_full_disk(disk: Path) -> None:
    records = Records(disk / "records.db")
    names = [f"c{number}" for number in range(100)]
    for name in names:
        await records.containers.put(ContainerRecord(name, name, {"text": "x" * 2000}, {}))
    fill(disk)
    assert await refused_after(records) < 200

    for name in names:
        await records.containers.remove(name)

    assert not {record.id for record in records.containers.all()} & set(names)
    records.close()
    again = Records(disk / "records.db")
    assert not {record.id for record in again.containers.all()} & set(names)
    again.close()


def test_a_reserve_is_given_up_and_taken_again(disk: Path) -> None:
    reserve = Reserve(disk / "reserve")
    assert (disk / "reserve").stat().st_blocks * 512 >= RESERVE_BYTES

    reserve.give_up()
    fill(disk)
    reserve.fill()
    assert (disk / "reserve").stat().st_blocks == 0

    for filler in disk.glob("filler-*"):
        filler.unlink()
    reserve.fill()

    assert (disk / "reserve").stat().st_blocks * 512 >= RESERVE_BYTES
