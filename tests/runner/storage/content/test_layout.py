"""The content store: blobs arrive whole, resume, and never lie about their digest."""

import asyncio
import os
from pathlib import Path

import pytest

from oci.digest import Digest, DigestMismatch
from runner.storage.content.contract import BlobUnknown, SizeMismatch, put_document
from runner.storage.content.layout import LayoutContentStore

BLOB = bytes(range(256)) * 12_000  # about 3 MB: several writes
DIGEST = Digest.of(BLOB)


@pytest.fixture
def content(tmp_path: Path) -> LayoutContentStore:
    return LayoutContentStore(tmp_path / "content")


async def receive(content: LayoutContentStore, blob: bytes, *, chunk_bytes: int = 65_536) -> None:
    digest = Digest.of(blob)
    async with content.ingest(digest, len(blob)) as ingest:
        for at in range(ingest.offset, len(blob), chunk_bytes):
            await ingest.append(blob[at : at + chunk_bytes])
        await ingest.commit()


async def test_a_blob_is_there_after_its_commit(content: LayoutContentStore) -> None:
    await receive(content, BLOB)

    assert content.path(DIGEST).stat().st_size == len(BLOB)
    assert content.read(DIGEST) == BLOB
    assert content.path(DIGEST).read_bytes() == BLOB
    assert list(content.digests()) == [DIGEST]


async def test_nothing_is_there_before_the_commit(content: LayoutContentStore) -> None:
    async with content.ingest(DIGEST, len(BLOB)) as ingest:
        await ingest.append(BLOB)

        assert not content.has(DIGEST)
        assert list(content.digests()) == []


async def test_a_cut_download_goes_on_where_it_stopped(content: LayoutContentStore) -> None:
    async def cut() -> None:
        async with content.ingest(DIGEST, len(BLOB)) as ingest:
            await ingest.append(BLOB[:1_500_000])
            raise ConnectionError

    with pytest.raises(ConnectionError):
        await cut()

    async with content.ingest(DIGEST, len(BLOB)) as ingest:
        offset = ingest.offset
        arrived = b"".join([chunk async for chunk in ingest.arrived()])
        await ingest.append(BLOB[offset:])
        await ingest.commit()

    assert offset == 1_500_000
    assert arrived == BLOB[:1_500_000]
    assert content.read(DIGEST) == BLOB


async def test_a_download_goes_on_in_the_next_daemon(tmp_path: Path) -> None:
    async with LayoutContentStore(tmp_path).ingest(DIGEST, len(BLOB)) as ingest:
        await ingest.append(BLOB[:100])

    async with LayoutContentStore(tmp_path).ingest(DIGEST, len(BLOB)) as ingest:
        assert ingest.offset == 100


async def test_a_download_can_start_over(content: LayoutContentStore) -> None:
    async with content.ingest(DIGEST, len(BLOB)) as ingest:
        await ingest.append(b"not the blob")

    async with content.ingest(DIGEST, len(BLOB)) as ingest:
        await ingest.restart()
        await ingest.append(BLOB)
        await ingest.commit()

    assert content.read(DIGEST) == BLOB


async def test_wrong_bytes_are_refused_and_dropped(content: LayoutContentStore) -> None:
    wrong = b"!" + BLOB[1:]

    async with content.ingest(DIGEST, len(BLOB)) as ingest:
        await ingest.append(wrong)
        with pytest.raises(DigestMismatch, match=str(Digest.of(wrong))):
            await ingest.commit()

    assert not content.has(DIGEST)
    async with content.ingest(DIGEST, len(BLOB)) as ingest:
        assert ingest.offset == 0


async def test_bytes_changed_on_disk_between_two_attempts_are_found(
    content: LayoutContentStore,
) -> None:
    async with content.ingest(DIGEST, len(BLOB)) as ingest:
        await ingest.append(BLOB[:-1])
    (partial,) = (content.path(DIGEST).parents[2] / "ingest").iterdir()
    partial.write_bytes(b"\0" * (len(BLOB) - 1))

    async with content.ingest(DIGEST, len(BLOB)) as ingest:
        await ingest.append(BLOB[-1:])
        with pytest.raises(DigestMismatch):
            await ingest.commit()

    assert not content.has(DIGEST)


async def test_too_many_bytes_are_refused_at_once(content: LayoutContentStore) -> None:
    async with content.ingest(DIGEST, len(BLOB)) as ingest:
        await ingest.append(BLOB)
        with pytest.raises(SizeMismatch, match=f"expected {len(BLOB)}"):
            await ingest.append(b"more")


async def test_too_few_bytes_are_refused_and_kept(content: LayoutContentStore) -> None:
    async with content.ingest(DIGEST, len(BLOB)) as ingest:
        await ingest.append(BLOB[:-1])
        with pytest.raises(SizeMismatch):
            await ingest.commit()

    async with content.ingest(DIGEST, len(BLOB)) as ingest:
        assert ingest.offset == len(BLOB) - 1


async def test_a_partial_file_larger_than_the_blob_starts_over(content: LayoutContentStore) -> None:
    async with content.ingest(DIGEST, len(BLOB)) as ingest:
        await ingest.append(BLOB)
    async with content.ingest(DIGEST, 10) as ingest:
        assert ingest.offset == 0


async def test_sha512_has_a_directory_of_its_own(content: LayoutContentStore) -> None:
    digest = Digest.of(b"blob", "sha512")

    await put_document(content, digest, b"blob")

    assert content.path(digest).parent.name == "sha512"
    assert list(content.digests()) == [digest]


async def test_two_downloads_of_one_blob_write_it_once(content: LayoutContentStore) -> None:
    started = asyncio.Event()
    second_saw: list[bool] = []

    async def first() -> None:
        async with content.ingest(DIGEST, len(BLOB)) as ingest:
            started.set()
            await ingest.append(BLOB)
            await ingest.commit()

    async def second() -> None:
        await started.wait()
        async with content.ingest(DIGEST, len(BLOB)) as ingest:
            second_saw.append(ingest.complete)
            await ingest.commit()

    await asyncio.gather(first(), second())

    assert second_saw == [True]
    assert content.read(DIGEST) == BLOB


async def test_a_cancelled_download_can_be_resumed(content: LayoutContentStore) -> None:
    arrived = asyncio.Event()

    async def download() -> None:
        async with content.ingest(DIGEST, len(BLOB)) as ingest:
            await ingest.append(BLOB[:2_000_000])
            arrived.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(download())
    await arrived.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    async with content.ingest(DIGEST, len(BLOB)) as ingest:
        assert ingest.offset == 2_000_000


async def test_a_deleted_blob_is_gone_but_stays_readable_where_open(
    content: LayoutContentStore,
) -> None:
    await receive(content, BLOB)

    with content.path(DIGEST).open("rb") as held:
        await content.delete(DIGEST)

        assert held.read() == BLOB
    assert not content.has(DIGEST)


async def test_deleting_twice_is_no_error(content: LayoutContentStore) -> None:
    await content.delete(DIGEST)
    await content.delete(DIGEST)


def test_an_unknown_blob_is_refused(content: LayoutContentStore) -> None:
    with pytest.raises(BlobUnknown, match=str(DIGEST)):
        content.read(DIGEST)


async def test_a_blob_that_rotted_is_not_read(content: LayoutContentStore) -> None:
    await put_document(content, DIGEST, BLOB)
    content.path(DIGEST).write_bytes(b"rot")

    with pytest.raises(DigestMismatch):
        content.read(DIGEST)


async def test_partial_files_are_discarded_unless_they_are_arriving(
    content: LayoutContentStore,
) -> None:
    other = Digest.of(b"other")
    async with content.ingest(other, 5) as ingest:
        await ingest.append(b"oth")

    async with content.ingest(DIGEST, len(BLOB)) as ingest:
        await ingest.append(BLOB[:10])
        assert content.partial_bytes() == 3
        assert await content.discard_partial(idle_seconds=60) == 0
        assert await content.discard_partial() == 3
        await ingest.append(BLOB[10:])
        await ingest.commit()

    assert content.read(DIGEST) == BLOB
    async with content.ingest(other, 5) as ingest:
        assert ingest.offset == 0


async def test_a_blob_is_synced_before_it_is_named(
    content: LayoutContentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    fsync, rename = os.fsync, os.rename

    def noted_fsync(descriptor: int) -> None:
        steps.append("sync " + Path(os.readlink(f"/proc/self/fd/{descriptor}")).name[:6])
        fsync(descriptor)

    def noted_rename(source: Path, target: Path) -> None:
        steps.append("rename")
        rename(source, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "rename", noted_rename)

    await put_document(content, DIGEST, BLOB)

    assert steps[:3] == ["sync sha256", "rename", "sync sha256"]
