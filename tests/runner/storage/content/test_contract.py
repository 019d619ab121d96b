"""The contracts ContentStore, PartialIngests and Ingest, on the disk and in memory."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from oci.digest import Digest, DigestMismatch
from runner.storage.content.contract import (
    BlobUnknown,
    ContentStore,
    SizeMismatch,
    put_document,
)
from runner.storage.content.layout import LayoutContentStore
from tests.support.runner.memory_content import MemoryContentStore

BLOB = bytes(range(256)) * 12_000  # about 3 MB: several writes
DIGEST = Digest.of(BLOB)
OTHER = Digest.of(b"other")


@dataclass(frozen=True)
class Form:
    """One form of the contract; ``reopen`` is the next daemon's store of the same bytes."""

    store: ContentStore
    reopen: Callable[[], ContentStore]
    corrupt: Callable[[Digest, bytes], None]


def layout_form(root: Path) -> Form:
    store = LayoutContentStore(root)

    def corrupt(digest: Digest, content: bytes) -> None:
        store.path(digest).write_bytes(content)

    return Form(store, lambda: LayoutContentStore(root), corrupt)


def memory_form(root: Path) -> Form:
    store = MemoryContentStore(root)

    def reopen() -> ContentStore:
        return MemoryContentStore(root, store.blobs, store.arrived)

    return Form(store, reopen, store.blobs.__setitem__)


@pytest.fixture(params=[layout_form, memory_form])
def form(request: pytest.FixtureRequest, tmp_path: Path) -> Form:
    made: Form = request.param(tmp_path / "content")
    return made


@pytest.fixture
def content(form: Form) -> ContentStore:
    return form.store


async def receive(content: ContentStore, blob: bytes, *, chunk_bytes: int = 65_536) -> None:
    async with content.ingest(Digest.of(blob), len(blob)) as ingest:
        for at in range(ingest.offset, len(blob), chunk_bytes):
            await ingest.append(blob[at : at + chunk_bytes])
        await ingest.commit()


async def leave(content: ContentStore, first: bytes, digest: Digest, size: int) -> None:
    """An ingest that ends without a commit."""
    async with content.ingest(digest, size) as ingest:
        await ingest.append(first)


async def offset_of(content: ContentStore, digest: Digest, size: int) -> int:
    """The number of bytes with which the next ingest begins."""
    async with content.ingest(digest, size) as ingest:
        return ingest.offset


async def test_a_blob_is_there_after_its_commit(content: ContentStore) -> None:
    await receive(content, BLOB)

    assert content.has(DIGEST)
    assert content.read(DIGEST) == BLOB
    assert content.path(DIGEST).read_bytes() == BLOB
    assert list(content.digests()) == [DIGEST]


async def test_nothing_is_there_before_the_commit(content: ContentStore) -> None:
    async with content.ingest(DIGEST, len(BLOB)) as ingest:
        await ingest.append(BLOB)

        assert not content.has(DIGEST)
        assert not content.path(DIGEST).exists()
        assert list(content.digests()) == []
        with pytest.raises(BlobUnknown, match=str(DIGEST)):
            content.read(DIGEST)


async def test_a_committed_blob_is_there_for_the_next_daemon(form: Form) -> None:
    await receive(form.store, BLOB)
    await put_document(form.store, OTHER, b"other")

    again = form.reopen()

    assert again.read(DIGEST) == BLOB
    assert again.path(OTHER).read_bytes() == b"other"
    assert sorted(again.digests(), key=str) == sorted([DIGEST, OTHER], key=str)


async def test_a_digest_of_another_algorithm_names_a_blob_of_its_own(content: ContentStore) -> None:
    longer = Digest.of(b"other", "sha512")

    await put_document(content, longer, b"other")

    assert (content.has(longer), content.has(OTHER)) == (True, False)
    assert list(content.digests()) == [longer]


async def test_an_empty_blob_is_a_blob(content: ContentStore) -> None:
    empty = Digest.of(b"")

    await put_document(content, empty, b"")

    assert content.read(empty) == content.path(empty).read_bytes() == b""


async def test_a_cut_download_goes_on_where_it_stopped(content: ContentStore) -> None:
    async def cut() -> None:
        async with content.ingest(DIGEST, len(BLOB)) as ingest:
            await ingest.append(BLOB[:1_500_000])
            raise ConnectionError

    with pytest.raises(ConnectionError):
        await cut()

    async with content.ingest(DIGEST, len(BLOB)) as ingest:
        offset, complete = ingest.offset, ingest.complete
        arrived = b"".join([chunk async for chunk in ingest.arrived()])
        await ingest.append(BLOB[offset:])
        await ingest.commit()

    assert (offset, complete) == (1_500_000, False)
    assert arrived == BLOB[:1_500_000]
    assert content.read(DIGEST) == BLOB


async def test_a_download_goes_on_in_the_next_daemon(form: Form) -> None:
    await leave(form.store, BLOB[:100], DIGEST, len(BLOB))

    again = form.reopen()

    assert not again.has(DIGEST)
    assert await offset_of(again, DIGEST, len(BLOB)) == 100


async def test_every_byte_appended_counts_at_once(content: ContentStore) -> None:
    async with content.ingest(DIGEST, len(BLOB)) as ingest:
        offsets = [ingest.offset]
        for size in (1, 2_000_000):
            await ingest.append(BLOB[ingest.offset : ingest.offset + size])
            offsets.append(ingest.offset)

    assert offsets == [0, 1, 2_000_001]


async def test_a_download_can_start_over(content: ContentStore) -> None:
    await leave(content, b"not the blob", DIGEST, len(BLOB))

    async with content.ingest(DIGEST, len(BLOB)) as ingest:
        await ingest.append(b"nor this")
        await ingest.restart()
        offset = ingest.offset
        await ingest.append(BLOB)
        await ingest.commit()

    assert offset == 0
    assert content.read(DIGEST) == BLOB


async def test_wrong_bytes_are_refused_and_dropped(content: ContentStore) -> None:
    wrong = b"!" + BLOB[1:]

    async with content.ingest(DIGEST, len(BLOB)) as ingest:
        await ingest.append(wrong)
        with pytest.raises(DigestMismatch, match=str(Digest.of(wrong))):
            await ingest.commit()
        after = ingest.offset, ingest.complete

    assert after == (0, False)
    assert not content.has(DIGEST)
    assert await offset_of(content, DIGEST, len(BLOB)) == 0


async def test_too_many_bytes_are_refused_at_once(content: ContentStore) -> None:
    async with content.ingest(DIGEST, len(BLOB)) as ingest:
        await ingest.append(BLOB)
        with pytest.raises(SizeMismatch, match=f"has {len(BLOB) + 4} bytes, expected {len(BLOB)}"):
            await ingest.append(b"more")
        await ingest.commit()

    assert content.read(DIGEST) == BLOB


async def test_too_few_bytes_are_refused_and_kept(content: ContentStore) -> None:
    async with content.ingest(DIGEST, len(BLOB)) as ingest:
        await ingest.append(BLOB[:-1])
        with pytest.raises(SizeMismatch, match=f"has {len(BLOB) - 1} bytes, expected {len(BLOB)}"):
            await ingest.commit()

    assert not content.has(DIGEST)
    assert await offset_of(content, DIGEST, len(BLOB)) == len(BLOB) - 1


async def test_more_bytes_than_the_blob_has_are_not_resumed(content: ContentStore) -> None:
    await leave(content, BLOB, DIGEST, len(BLOB))

    assert await offset_of(content, DIGEST, 10) == 0


async def test_an_ingest_of_a_stored_blob_is_complete(content: ContentStore) -> None:
    await receive(content, BLOB)

    async with content.ingest(DIGEST, len(BLOB)) as ingest:
        before = ingest.complete, ingest.offset
        arrived = b"".join([chunk async for chunk in ingest.arrived()])
        await ingest.commit()

    assert before == (True, len(BLOB))
    assert arrived == content.read(DIGEST) == BLOB


async def test_a_second_ingest_of_a_digest_waits_for_the_first(content: ContentStore) -> None:
    started = asyncio.Event()
    steps: list[str] = []

    async def first() -> None:
        async with content.ingest(DIGEST, len(BLOB)) as ingest:
            started.set()
            # The second has every chance to go first.
            for _ in range(10):
                await asyncio.sleep(0)
            await ingest.append(BLOB)
            await ingest.commit()
            steps.append("first has committed")

    async def second() -> None:
        await started.wait()
        async with content.ingest(DIGEST, len(BLOB)) as ingest:
            steps.append(f"second is complete: {ingest.complete}")
            await ingest.commit()

    await asyncio.gather(first(), second())

    assert steps == ["first has committed", "second is complete: True"]
    assert content.read(DIGEST) == BLOB


async def test_ingests_of_two_digests_do_not_wait_for_each_other(content: ContentStore) -> None:
    async with content.ingest(DIGEST, len(BLOB)) as one, content.ingest(OTHER, 5) as other:
        await one.append(BLOB)
        await other.append(b"other")
        await other.commit()
        await one.commit()

    assert (content.read(DIGEST), content.read(OTHER)) == (BLOB, b"other")


async def test_a_cancelled_download_can_be_resumed(content: ContentStore) -> None:
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

    assert await offset_of(content, DIGEST, len(BLOB)) == 2_000_000


async def test_a_deleted_blob_is_gone_but_stays_readable_where_open(content: ContentStore) -> None:
    await receive(content, BLOB)

    with content.path(DIGEST).open("rb") as held:
        freed = await content.delete(DIGEST)

        assert held.read() == BLOB
    assert freed == len(BLOB)
    assert not content.has(DIGEST)
    assert not content.path(DIGEST).exists()
    assert list(content.digests()) == []


async def test_a_deletion_takes_what_an_ingest_has_left(content: ContentStore) -> None:
    await leave(content, BLOB[:100], DIGEST, len(BLOB))

    freed = await content.delete(DIGEST)

    assert (freed, content.partial.total_bytes()) == (0, 0)
    assert await offset_of(content, DIGEST, len(BLOB)) == 0


async def test_deleting_twice_is_no_error(content: ContentStore) -> None:
    await put_document(content, OTHER, b"other")

    assert (await content.delete(OTHER), await content.delete(OTHER)) == (5, 0)


async def test_a_deletion_is_over_before_anybody_else_runs(content: ContentStore) -> None:
    """A caller looks whether a blob is used, then deletes it: nothing comes in between."""
    await put_document(content, OTHER, b"other")
    deletion = content.delete(OTHER)

    with pytest.raises(StopIteration):
        deletion.send(None)

    assert not content.has(OTHER)


async def test_a_corrupt_blob_is_not_read_and_a_document_replaces_it(form: Form) -> None:
    await put_document(form.store, DIGEST, BLOB)
    form.corrupt(DIGEST, b"rot")

    with pytest.raises(DigestMismatch, match=str(Digest.of(b"rot"))):
        form.store.read(DIGEST)
    await put_document(form.store, DIGEST, BLOB)

    assert form.store.read(DIGEST) == form.store.path(DIGEST).read_bytes() == BLOB


async def test_partial_ingests_are_discarded_unless_they_are_in_progress(
    content: ContentStore,
) -> None:
    await leave(content, b"oth", OTHER, 5)

    async with content.ingest(DIGEST, len(BLOB)) as ingest:
        await ingest.append(BLOB[:10])
        assert content.partial.total_bytes() == 3
        assert await content.partial.discard(idle_seconds=60) == 0
        assert await content.partial.discard() == 3
        assert content.partial.total_bytes() == 0
        await ingest.append(BLOB[10:])
        await ingest.commit()

    assert content.read(DIGEST) == BLOB
    assert await offset_of(content, OTHER, 5) == 0


async def test_whole_blobs_are_no_partial_ingests(content: ContentStore) -> None:
    await receive(content, BLOB)

    assert content.partial.total_bytes() == 0
    assert await content.partial.discard() == 0
    assert content.has(DIGEST)
