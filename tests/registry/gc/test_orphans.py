"""The sweep lists files before it reads rows, and removes no file before its rows are deleted."""

import errno
import os
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from oci.digest import Digest
from registry.errors import StorageFull
from registry.gc import orphans
from registry.gc.dry_run import dry_run
from registry.gc.orphans import sweep
from registry.gc.report import GcReport
from registry.storage.blobs.contract import StoredFile
from registry.storage.blobs.file_count import ALWAYS_ALLOWED
from registry.storage.blobs.filesystem.store import FilesystemBlobStore
from registry.storage.metadata.trash import put
from tests.support.registry.gc_service import GcService
from tests.support.registry.storage import body, pull_blob, push_blob


async def test_gc_3_files_that_arrive_during_the_sweep_are_kept(
    gc_service: GcService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked before it lists, a sweep takes for an orphan what was pushed in between."""
    repository, pushed = gc_service.repository(), list[Digest]()
    listing = FilesystemBlobStore.listing

    async def busy(store: FilesystemBlobStore, part: int) -> AsyncIterator[list[StoredFile]]:
        if part == 0:
            pushed.append(await push_blob(repository, b"before the first listing"))
            session = await repository.uploads.start()
            await repository.uploads.append(session.id, body(b"half"), start=None, length=None)
        async for listed in listing(store, part):
            if part < 8:
                pushed.append(await push_blob(repository, b"after listing %d" % part))
            yield listed

    monkeypatch.setattr(FilesystemBlobStore, "listing", busy)
    report = GcReport()
    await sweep(gc_service.service.state, report)

    assert report.orphans == 0
    for digest in pushed:
        await pull_blob(repository, digest)


async def counted(
    listings: AsyncIterator[list[StoredFile]],
) -> AsyncIterator[tuple[int, list[StoredFile]]]:
    number = 0
    async for listed in listings:
        yield number, listed
        number += 1


def plant(gc_service: GcService, count: int) -> list[Path]:
    """Files with names of the store that no row has."""
    planted = []
    for number in range(count):
        encoded = f"{number:064x}"
        path = gc_service.service.root / "blobs" / "00" / f"{encoded}-{uuid.UUID(int=number)}"
        path.write_bytes(b"orphan")
        planted.append(path)
    return planted


async def test_more_orphans_than_a_crash_leaves_are_kept_until_asked_for(
    gc_service: GcService,
) -> None:
    await push_blob(gc_service.repository(), b"has its row")
    planted = plant(gc_service, ALWAYS_ALLOWED + 1)

    kept = await gc_service.collect()
    shown = await dry_run(gc_service.service.state)

    for report in (kept, shown):
        assert (report.orphans, report.kept_orphans, report.freed_bytes) == (
            0,
            ALWAYS_ALLOWED + 1,
            0,
        )
        assert report.kept_orphan_bytes == 6 * (ALWAYS_ALLOWED + 1)
    assert all(path.exists() for path in planted)
    shown = await dry_run(gc_service.service.state, all_orphans=True)
    removed = await gc_service.collector.collect(all_orphans=True)
    for report in (removed, shown):
        assert (report.orphans, report.kept_orphans) == (ALWAYS_ALLOWED + 1, 0)
    assert not any(path.exists() for path in planted)


async def test_a_lost_part_of_the_rows_costs_no_file(gc_service: GcService) -> None:
    """As after a log that was removed by hand, or an older database in the place of a newer."""
    for number in range(ALWAYS_ALLOWED + 1):
        await push_blob(gc_service.repository(), b"acknowledged %d" % number)
    before = gc_service.service.files()

    def forget(connection: Connection) -> None:
        connection.execute(text("DELETE FROM repo_blobs"))
        connection.execute(text("DELETE FROM blobs"))

    await gc_service.service.database.write(forget)
    await gc_service.collect()

    assert gc_service.service.files() == before


async def test_a_few_orphans_go_at_once(gc_service: GcService) -> None:
    planted = plant(gc_service, ALWAYS_ALLOWED)

    report = await gc_service.collect()

    assert (report.orphans, report.kept_orphans) == (ALWAYS_ALLOWED, 0)
    assert not any(path.exists() for path in planted)


async def test_a_file_that_cannot_be_removed_stops_nothing(
    gc_service: GcService, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck, *others = plant(gc_service, 3)
    unlink = os.unlink

    def refuse(path: str, *, dir_fd: int | None = None) -> None:
        if path.endswith(stuck.name):
            raise OSError(errno.EPERM, "Operation not permitted")
        unlink(path, dir_fd=dir_fd)

    monkeypatch.setattr(os, "unlink", refuse)
    report = await gc_service.collect()

    assert (report.orphans, report.failed) == (2, 1)
    assert stuck.exists()
    assert not any(path.exists() for path in others)


@pytest.mark.parametrize("at_once", [1, 3, 100])
async def test_orphans_go_in_batches(
    gc_service: GcService, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(orphans, "FILES_PER_REMOVAL", at_once)
    planted = plant(gc_service, 7)

    report = await gc_service.collect()

    assert (report.orphans, report.orphan_bytes) == (7, 7 * len(b"orphan"))
    assert not any(path.exists() for path in planted)


async def test_a_pass_whose_transaction_fails_has_removed_no_file(
    gc_service: GcService, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = gc_service.repository()
    digest = await push_blob(repository, b"garbage, but here")
    await gc_service.outlive_leases()
    before, move_to_trash = gc_service.service.files(), put.move_to_trash

    def fail(*arguments: object) -> put.Freed:
        move_to_trash(*arguments)  # type: ignore[arg-type]  # handed on as it came
        raise StorageFull

    monkeypatch.setattr(put, "move_to_trash", fail)
    with pytest.raises(StorageFull):
        await gc_service.collect()
    await sweep(gc_service.service.state, GcReport())

    assert gc_service.service.files() == before
    reader = gc_service.service.repository(may_push=False)
    assert await pull_blob(reader, digest) == b"garbage, but here"
