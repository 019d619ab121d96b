"""Garbage collection: what nothing names goes, and nothing else; the incidents of others."""

from pathlib import Path

import pytest

from oci.digest import Digest
from registry.errors import BlobUnknown
from tests.support.clocks import YEAR_MS
from tests.support.collecting import SECOND, Collected
from tests.support.storage import body, pull_blob, push_blob

CONTENT = b"a layer that nothing names"
DIGEST = Digest.of(CONTENT)


async def test_a_blob_that_nothing_names_goes_when_its_lease_is_over(collected: Collected) -> None:
    repository = collected.repository()
    await push_blob(repository, CONTENT)

    early = await collected.collect()
    await collected.outlive_leases()
    late = await collected.collect()

    assert (early.blobs, late.blobs) == (0, 1)
    assert late.freed_bytes == late.blob_bytes == len(CONTENT)
    assert collected.service.files() == set()
    with pytest.raises(BlobUnknown):
        await repository.blobs.stat(DIGEST)


async def test_gc_1_a_blob_just_acknowledged_is_never_collected(collected: Collected) -> None:
    repository = collected.repository()
    for number in range(20):
        digest = await push_blob(repository, b"%d" % number)
        await collected.collect()
        assert await pull_blob(repository, digest) == b"%d" % number


@pytest.mark.parametrize("jump", [10 * YEAR_MS, -10 * YEAR_MS, 3_600_000, -3_600_000])
async def test_a_clock_jump_deletes_nothing(collected: Collected, jump: int) -> None:
    repository = collected.repository()
    await push_blob(repository, CONTENT)
    await collected.pass_time(35)

    collected.clock.set_by(jump)
    await collected.pass_time(10)
    await collected.collect()

    assert await pull_blob(repository, DIGEST) == CONTENT


async def test_a_clock_that_stands_still_ends_no_lease(collected: Collected) -> None:
    repository = collected.repository()
    await push_blob(repository, CONTENT)

    for _ in range(50):
        collected.clock.monotonic += 10 * SECOND
        await collected.collect()

    assert await pull_blob(repository, DIGEST) == CONTENT


async def test_epochs_do_not_come_faster_than_monotonic_time(collected: Collected) -> None:
    for _ in range(5):
        collected.clock.set_by(YEAR_MS)
        await collected.collector.count_epoch()
    assert await collected.collector.count_epoch() == 0

    collected.clock.advance(10 * SECOND)
    assert [await collected.collector.count_epoch() for _ in range(3)] == [1, 1, 1]

    # After a reboot the monotonic clock says nothing about before.
    collected.clock.reboot("another boot")
    assert await collected.collector.count_epoch() == 1


async def test_gc_5_what_was_collected_can_be_pushed_again(collected: Collected) -> None:
    repository = collected.repository()
    for _ in range(3):
        await push_blob(repository, CONTENT)
        await collected.outlive_leases()
        assert (await collected.collect()).blobs == 1

    await push_blob(repository, CONTENT)

    assert await pull_blob(repository, DIGEST) == CONTENT


async def test_orphans_are_swept_and_strangers_left(collected: Collected, tmp_path: Path) -> None:
    await push_blob(collected.repository(), CONTENT)
    root = collected.service.root
    (kept,) = collected.service.files()
    uuid = "01234567-89ab-4def-8123-456789abcdef"
    (root / "uploads" / uuid).write_bytes(b"12345")
    (root / "blobs" / DIGEST.encoded[:2] / f"{DIGEST.encoded}-{uuid}").write_bytes(b"123")
    (root / "uploads" / "README").write_bytes(b"not ours")
    (root / "blobs" / "zz").mkdir()

    report = await collected.collect()

    assert (report.orphans, report.orphan_bytes, report.unknown_files) == (2, 8, 2)
    assert collected.service.files() == {kept, "uploads/README"}


async def test_an_upload_under_way_is_not_swept(collected: Collected) -> None:
    repository = collected.repository()
    session = await repository.uploads.start()
    await repository.uploads.append(session.id, body(CONTENT), start=None, length=None)

    report = await collected.collect()
    await repository.uploads.commit(session.id, DIGEST, body(), start=None, length=None)

    assert report.orphans == report.uploads == 0
    assert await pull_blob(repository, DIGEST) == CONTENT
