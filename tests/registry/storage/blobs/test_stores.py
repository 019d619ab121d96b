"""The contract of a BlobStore, on every implementation: with one store, and with two on one place.

Of two, each call goes to the other one: whatever a test does, it changes servers in between.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from oci.digest import Digest, DigestMismatch
from registry.errors import BlobUploadUnknown
from registry.storage.blobs.filesystem.store import FilesystemBlobStore
from registry.storage.blobs.memory import MemoryBlobStore
from registry.storage.blobs.store import FILES_PER_REMOVAL, BlobStore, StoredFile, unpaced
from registry.storage.disk.root import Root
from tests.support.registry.storage import read_all
from tests.support.registry.stores import AlternatingStore

CONTENT = b"some bytes of a layer" * 100_000


@pytest.fixture(params=["memory", "two in memory", "filesystem", "two of one filesystem"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[BlobStore]:
    is_two = request.param.startswith("two")
    if request.param.endswith("memory"):
        memory = MemoryBlobStore()
        other = MemoryBlobStore(memory.sessions, memory.blobs)
        yield AlternatingStore(memory, other) if is_two else memory
        return
    with Root.open(tmp_path / "root") as root:
        store: BlobStore = FilesystemBlobStore(root)
        if is_two:
            store = AlternatingStore(store, FilesystemBlobStore(root))
        yield store
        await store.aclose()


async def a_session(store: BlobStore, *chunks: bytes, algorithm: str = "sha256") -> str:
    session = str(uuid4())
    await store.begin(session)
    await append(store, session, *chunks, algorithm=algorithm)
    return session


async def append(store: BlobStore, session: str, *chunks: bytes, algorithm: str = "sha256") -> None:
    writer = await store.writer(session, algorithm)
    for chunk in chunks:
        await writer.write(chunk)
    await writer.aclose()


async def commit(store: BlobStore, session: str, digest: Digest) -> str:
    writer = await store.writer(session, digest.algorithm)
    try:
        return await writer.commit(digest)
    finally:
        await writer.aclose()


async def a_blob(store: BlobStore, content: bytes = CONTENT) -> str:
    return await commit(store, await a_session(store, content), Digest.of(content))


async def test_a_session_begins_empty(store: BlobStore) -> None:
    session = await a_session(store)

    assert await store.offset(session) == 0


async def test_a_session_that_never_began_is_unknown(store: BlobStore) -> None:
    session = str(uuid4())

    assert await store.offset(session) is None
    with pytest.raises(BlobUploadUnknown):
        await store.writer(session, "sha256")


async def test_a_session_resumes_where_its_last_writer_stopped(store: BlobStore) -> None:
    session = await a_session(store, CONTENT[:10])

    writer = await store.writer(session, "sha256")
    resumed_at = writer.offset
    await writer.write(CONTENT[10:])
    physical = await writer.commit(Digest.of(CONTENT))
    await writer.aclose()

    assert resumed_at == 10
    assert await store.stat(physical) == len(CONTENT)


async def test_written_bytes_are_there_after_a_flush(store: BlobStore) -> None:
    session = await a_session(store)
    writer = await store.writer(session, "sha256")

    await writer.write(b"12345")
    await writer.flush()

    assert await store.offset(session) == writer.offset == 5
    await writer.aclose()


async def test_a_committed_blob_is_read_completely_and_by_range(store: BlobStore) -> None:
    physical = await a_blob(store)

    whole, part = await store.open(physical), await store.open(physical)

    assert whole is not None
    assert part is not None
    assert whole.size == len(CONTENT)
    assert await read_all(whole) == CONTENT
    assert await read_all(part, 300_000, 900_001) == CONTENT[300_000:900_001]


async def test_a_range_past_the_end_stops_at_the_end(store: BlobStore) -> None:
    reader = await store.open(await a_blob(store, b"short"))

    assert reader is not None
    assert await read_all(reader, 3, 99) == b"rt"


async def test_a_mismatched_commit_publishes_nothing(store: BlobStore) -> None:
    session = await a_session(store, b"help!")

    with pytest.raises(DigestMismatch) as refusal:
        await commit(store, session, Digest.of(b"hello"))

    assert refusal.value.actual == Digest.of(b"help!")
    assert await store.offset(session) == 5


async def test_a_mismatched_session_can_be_committed_under_its_digest(store: BlobStore) -> None:
    session = await a_session(store, b"hello")
    with pytest.raises(DigestMismatch):
        await commit(store, session, Digest.of(b"help!"))

    physical = await commit(store, session, Digest.of(b"hello"))

    assert await store.stat(physical) == 5


async def test_after_a_commit_the_session_has_no_bytes(store: BlobStore) -> None:
    session = await a_session(store, CONTENT)

    await commit(store, session, Digest.of(CONTENT))

    assert await store.offset(session) is None


async def test_after_a_commit_the_offset_is_the_blobs_size(store: BlobStore) -> None:
    writer = await store.writer(await a_session(store), "sha256")
    await writer.write(CONTENT)

    await writer.commit(Digest.of(CONTENT))

    assert writer.offset == len(CONTENT)
    await writer.aclose()


async def test_a_session_discarded_under_its_writer_publishes_nothing(store: BlobStore) -> None:
    session = await a_session(store, b"content")
    writer = await store.writer(session, "sha256")

    await store.discard(session)

    with pytest.raises(BlobUploadUnknown):
        await writer.commit(Digest.of(b"content"))
    await writer.aclose()


async def test_the_same_digest_gets_a_name_of_its_own_each_time(store: BlobStore) -> None:
    first, second = await a_blob(store), await a_blob(store)

    assert first != second
    await store.remove([first])
    assert await store.stat(first) is None
    assert await store.stat(second) == len(CONTENT)


async def test_the_digest_may_have_another_algorithm_than_was_expected(store: BlobStore) -> None:
    digest = Digest.of(CONTENT, "sha512")
    session = await a_session(store, CONTENT, algorithm="sha256")

    physical = await commit(store, session, digest)

    assert await store.stat(physical) == len(CONTENT)


async def test_an_empty_blob_is_a_blob(store: BlobStore) -> None:
    reader = await store.open(await a_blob(store, b""))

    assert reader is not None
    assert (reader.size, await read_all(reader)) == (0, b"")


async def test_rewinding_truncates_the_session(store: BlobStore) -> None:
    session = await a_session(store, b"hello")

    writer = await store.writer(session, "sha256")
    await writer.write(b" and a lie")
    await writer.rewind(5)
    await writer.write(b", world")
    physical = await writer.commit(Digest.of(b"hello, world"))
    await writer.aclose()

    assert await store.stat(physical) == 12


async def test_discarding_a_session_twice_is_not_an_error(store: BlobStore) -> None:
    session = await a_session(store, CONTENT)

    await store.discard(session)
    await store.discard(session)

    assert await store.offset(session) is None


async def test_an_open_blob_stays_readable_when_it_is_removed(store: BlobStore) -> None:
    physical = await a_blob(store)
    reader = await store.open(physical)

    await store.remove([physical])
    await store.remove([physical])

    assert await store.open(physical) is None
    assert reader is not None
    assert await read_all(reader) == CONTENT


async def test_a_batch_is_removed_whatever_of_it_is_there(store: BlobStore) -> None:
    gone = [await a_blob(store, b"%d" % number) for number in range(20)]
    kept = await a_blob(store)
    never = [f"{number:064x}-{uuid4()}" for number in range(FILES_PER_REMOVAL - len(gone))]

    for _ in range(2):
        assert await store.remove([*never[:500], *gone, *never[500:]]) == {}

    assert [file.name for file in await listed(store)] == [kept]


async def test_many_tiny_chunks_are_one_blob(store: BlobStore) -> None:
    content = bytes(range(256)) * 20
    session = await a_session(store, *(content[n : n + 1] for n in range(len(content))))

    physical = await commit(store, session, Digest.of(content))

    assert await store.stat(physical) == len(content)


async def listed(store: BlobStore) -> list[StoredFile]:
    return [
        file for part in range(store.parts) async for found in store.listing(part) for file in found
    ]


async def test_a_listing_has_every_file_once_in_one_of_its_parts(store: BlobStore) -> None:
    blobs = {await a_blob(store, b"blob %d" % number) for number in range(20)}
    session = await a_session(store, b"12345")

    files = await listed(store)

    assert {file.name for file in files if file.kind == "blob"} == blobs
    assert [(file.name, file.size) for file in files if file.kind == "upload"] == [(session, 5)]
    assert len(files) == 21


async def test_what_was_listed_can_be_removed(store: BlobStore) -> None:
    await a_blob(store)
    await a_session(store, CONTENT)

    names = [file.name for file in await listed(store)]
    assert await store.remove(names) == {}

    assert len(names) == 2
    assert await listed(store) == []


async def test_a_blob_is_verified_by_reading_its_bytes(store: BlobStore) -> None:
    physical = await a_blob(store)
    read: list[int] = []

    assert await store.verify(physical, "sha256") == Digest.of(CONTENT)
    assert await store.verify(physical, "sha512", read.append) == Digest.of(CONTENT, "sha512")
    assert sum(read) == len(CONTENT)


async def test_a_pace_that_raises_ends_the_reading(store: BlobStore) -> None:
    def stop(_count: int) -> None:
        raise LookupError("a test")

    physical = await a_blob(store)

    with pytest.raises(LookupError):
        await store.verify(physical, "sha256", stop)


async def test_what_is_not_there_has_no_digest_and_no_size(store: BlobStore) -> None:
    physical = await a_blob(store)
    await store.remove([physical])

    assert await store.verify(physical, "sha256") is None
    assert await store.verify(physical, "sha256", unpaced) is None
    assert await store.stat(physical) is None
    assert await store.changed_at(physical) is None


async def test_a_link_is_the_blobs_bytes_or_there_is_none(store: BlobStore, tmp_path: Path) -> None:
    physical = await a_blob(store)

    is_linked = await store.link(physical, tmp_path / "link")
    await store.remove([physical])

    assert is_linked == (tmp_path / "link").exists()
    assert not is_linked or (tmp_path / "link").read_bytes() == CONTENT
    assert not await store.link(physical, tmp_path / "again")
