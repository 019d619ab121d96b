"""The sweep: list first, then ask.  And no file goes before the rows that named it."""

from collections.abc import AsyncIterator

import pytest

from oci.digest import Digest
from registry.errors import StorageFull
from registry.gc.orphans import sweep
from registry.gc.report import GcReport
from registry.storage.blobs.filesystem.store import FilesystemBlobStore
from registry.storage.blobs.store import StoredFile
from registry.storage.metadata.trash import put
from tests.support.gc_service import GcService
from tests.support.storage import body, pull_blob, push_blob


async def test_gc_3_what_comes_while_the_sweep_is_at_work_stays(
    gc_service: GcService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked before it lists, a sweep takes for an orphan what was pushed in between."""
    repository, pushed = gc_service.repository(), list[Digest]()
    listings = FilesystemBlobStore.listings

    async def busy(store: FilesystemBlobStore) -> AsyncIterator[list[StoredFile]]:
        pushed.append(await push_blob(repository, b"before the first listing"))
        session = await repository.uploads.start()
        await repository.uploads.append(session.id, body(b"half"), start=None, length=None)
        async for number, listed in counted(listings(store)):
            if number < 8:
                pushed.append(await push_blob(repository, b"after listing %d" % number))
            yield listed

    monkeypatch.setattr(FilesystemBlobStore, "listings", busy)
    report = GcReport()
    await sweep(gc_service.service.shared, report)

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
    await sweep(gc_service.service.shared, GcReport())

    assert gc_service.service.files() == before
    reader = gc_service.service.repository(may_push=False)
    assert await pull_blob(reader, digest) == b"garbage, but here"
