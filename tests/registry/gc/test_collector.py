"""Garbage collection: unreferenced content is collected, and nothing else."""

from pathlib import Path

import pytest

from oci.digest import Digest
from registry.errors import BlobUnknown
from tests.support.registry.clocks import YEAR_MS
from tests.support.registry.gc_service import SECOND, GcService
from tests.support.registry.storage import body, pull_blob, push_blob

CONTENT = b"a layer that nothing names"
DIGEST = Digest.of(CONTENT)


async def test_an_unreferenced_blob_is_collected_when_its_lease_is_over(
    gc_service: GcService,
) -> None:
    repository = gc_service.repository()
    await push_blob(repository, CONTENT)

    early = await gc_service.collect()
    await gc_service.outlive_leases()
    late = await gc_service.collect()

    assert (early.blobs, late.blobs) == (0, 1)
    assert late.freed_bytes == late.blob_bytes == len(CONTENT)
    assert gc_service.service.files() == set()
    with pytest.raises(BlobUnknown):
        await repository.blobs.stat(DIGEST)


async def test_gc_1_a_blob_just_acknowledged_is_never_collected(gc_service: GcService) -> None:
    repository = gc_service.repository()
    for number in range(20):
        digest = await push_blob(repository, b"%d" % number)
        await gc_service.collect()
        assert await pull_blob(repository, digest) == b"%d" % number


@pytest.mark.parametrize("jump", [10 * YEAR_MS, -10 * YEAR_MS, 3_600_000, -3_600_000])
async def test_a_clock_jump_deletes_nothing(gc_service: GcService, jump: int) -> None:
    repository = gc_service.repository()
    await push_blob(repository, CONTENT)
    await gc_service.pass_time(35)

    gc_service.clock.set_by(jump)
    await gc_service.pass_time(10)
    await gc_service.collect()

    assert await pull_blob(repository, DIGEST) == CONTENT


async def test_a_clock_that_stands_still_ends_no_lease(gc_service: GcService) -> None:
    repository = gc_service.repository()
    await push_blob(repository, CONTENT)

    for _ in range(50):
        gc_service.clock.monotonic += 10 * SECOND
        await gc_service.collect()

    assert await pull_blob(repository, DIGEST) == CONTENT


async def test_gc_5_collected_content_can_be_pushed_again(gc_service: GcService) -> None:
    repository = gc_service.repository()
    for _ in range(3):
        await push_blob(repository, CONTENT)
        await gc_service.outlive_leases()
        assert (await gc_service.collect()).blobs == 1

    await push_blob(repository, CONTENT)

    assert await pull_blob(repository, DIGEST) == CONTENT


async def test_orphans_are_swept_and_unknown_files_ignored(
    gc_service: GcService, tmp_path: Path
) -> None:
    await push_blob(gc_service.repository(), CONTENT)
    root = gc_service.service.root
    (kept,) = gc_service.service.files()
    uuid = "01234567-89ab-4def-8123-456789abcdef"
    (root / "uploads" / uuid).write_bytes(b"12345")
    (root / "blobs" / DIGEST.encoded[:2] / f"{DIGEST.encoded}-{uuid}").write_bytes(b"123")
    (root / "uploads" / "README").write_bytes(b"not ours")
    (root / "blobs" / "zz").mkdir()

    report = await gc_service.collect()

    assert (report.orphans, report.orphan_bytes, report.unknown_files) == (2, 8, 2)
    assert gc_service.service.files() == {kept, "uploads/README"}


async def test_an_upload_under_way_is_not_swept(gc_service: GcService) -> None:
    repository = gc_service.repository()
    session = await repository.uploads.start()
    await repository.uploads.append(session.id, body(CONTENT), start=None, length=None)

    report = await gc_service.collect()
    await repository.uploads.commit(session.id, DIGEST, body(), start=None, length=None)

    assert report.orphans == report.uploads == 0
    assert await pull_blob(repository, DIGEST) == CONTENT
