"""The minimum free space, and the reserve file."""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.errors import StorageFull
from registry.storage.disk.free_space import RESERVE, FreeSpace, MinimumFree, reserve_size
from tests.support import small_disks

KIB = 1024
MIB = 1024 * KIB


@pytest.fixture
def here(tmp_path: Path) -> Iterator[int]:
    directory = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield directory
    os.close(directory)


@pytest.fixture
def small_disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Path, int]]:
    """A disk of 4 MiB and its directory, open: a ballast is 64 KiB there."""
    options = f"size=4m,{getattr(request, 'param', 'nr_inodes=2000')}"
    with small_disks.small_disk(tmp_path / "disk", options) as disk:
        directory = os.open(disk, os.O_RDONLY | os.O_DIRECTORY)
        try:
            yield disk, directory
        finally:
            os.close(directory)


def a_room(directory: int, floor: MinimumFree | None = None) -> FreeSpace:
    """One that measures every time it is asked."""
    return FreeSpace(directory, floor or MinimumFree(), itertools.count().__next__)


def fill(disk: Path, *, leaving: int) -> Path:
    found = os.statvfs(disk)
    filler = disk / "filler"
    filler.write_bytes(bytes(found.f_bavail * found.f_frsize - leaving))
    return filler


@pytest.mark.parametrize("floor", [MinimumFree(bytes=1 << 62), MinimumFree(percent=100.0)])
def test_nothing_grows_below_the_floor_in_bytes_or_in_parts_of_the_disk(
    here: int, floor: MinimumFree
) -> None:
    free_space = a_room(here, floor)

    assert "expected at least" in str(free_space.problem)
    with pytest.raises(StorageFull):
        free_space.check()


def test_the_floor_is_the_greater_of_the_two(here: int) -> None:
    assert a_room(here, MinimumFree(bytes=1 << 62, percent=0.001)).problem is not None
    assert a_room(here, MinimumFree(bytes=1, percent=100.0)).problem is not None


@pytest.mark.needs_root
@pytest.mark.parametrize("small_disk", ["nr_inodes=900"], indirect=True)
def test_nothing_grows_where_no_file_can_be_made(small_disk: tuple[Path, int]) -> None:
    assert "files" in str(a_room(small_disk[1]).problem)


@pytest.mark.needs_root
def test_a_ballast_is_taken_given_up_and_taken_again(small_disk: tuple[Path, int]) -> None:
    disk, directory = small_disk
    free_space = a_room(directory)
    assert (disk / RESERVE).stat().st_size == reserve_size(os.statvfs(disk)) == 64 * KIB

    # Room for a ballast, but not for one and as much again.
    filler = fill(disk, leaving=32 * KIB)
    assert (free_space.release(), free_space.release()) == (True, False)
    free_space.refresh()

    assert not (disk / RESERVE).exists()
    assert "expected at least" in str(free_space.problem)
    filler.unlink()
    free_space.refresh()
    assert (disk / RESERVE).exists()
    assert free_space.problem is None


@pytest.mark.needs_root
def test_the_reserve_file_is_removed_before_the_disk_is_full(small_disk: tuple[Path, int]) -> None:
    disk, directory = small_disk
    free_space = a_room(directory)
    filler = fill(disk, leaving=64 * KIB)
    free_space.refresh()
    assert (disk / RESERVE).exists()
    filler.unlink()

    fill(disk, leaving=60 * KIB)
    free_space.refresh()

    assert not (disk / RESERVE).exists()
