"""File removal: a failure stops nothing, and the next pass tries again."""

import errno
import os
from pathlib import Path

import pytest

from registry.errors import RegistryReadOnly
from registry.gc import purge
from tests.support.registry.gc_service import GcService
from tests.support.registry.storage import push_blob


async def trash_blobs(gc_service: GcService, count: int) -> list[Path]:
    """Blobs whose time in the trash is over at once; their files, the oldest first."""
    for number in range(count):
        await push_blob(gc_service.repository(), b"blob %d" % number)
    await gc_service.outlive_leases()
    return sorted(gc_service.service.root.glob("blobs/*/*"))


@pytest.mark.parametrize("at_once", [1, 2, 100])
async def test_files_that_cannot_be_removed_stop_nothing(
    gc_service: GcService, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(purge, "FILES_PER_BATCH", at_once)
    files = await trash_blobs(gc_service, 7)
    stuck = files[1:4]
    for file in stuck:
        file.unlink()
        file.mkdir()

    first, second = await gc_service.collect(), await gc_service.collect()

    assert (first.purged, first.failed) == (4, 3)
    assert (second.purged, second.failed) == (0, 3)
    assert [path for path in files if path.exists()] == stuck
    for file in stuck:
        file.rmdir()
        file.touch()
    third = await gc_service.collect()
    assert (third.purged, third.failed) == (3, 0)
    assert await gc_service.service.rows("SELECT * FROM trash") == []


async def test_a_disk_that_fails_ends_the_pass_at_the_first_file(
    gc_service: GcService, monkeypatch: pytest.MonkeyPatch
) -> None:
    await trash_blobs(gc_service, 3)
    tried = []

    def fail(path: str, *, dir_fd: int | None = None) -> None:
        tried.append(path)
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "unlink", fail)
    with pytest.raises(RegistryReadOnly, match="unlink: Input/output error"):
        await gc_service.collect()

    assert len(tried) == 1
