"""The contract of a BlobStore, on every implementation: with one store, and with two on one place.

Of two, each call goes to the other one: whatever a test does, it changes servers in between.  The
claims are kept as one process keeps them, and as a row does.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from oci.digest import Digest, DigestMismatch
from registry.errors import BlobUploadUnknown, ClaimLost
from registry.services.sessions import Sessions
from registry.storage.blobs.claims import Progress
from registry.storage.blobs.contract import (
    FILES_PER_REMOVAL,
    BlobStore,
    BlobWriter,
    Stored,
    StoredFile,
    unpaced,
)
from registry.storage.blobs.filesystem.store import FilesystemBlobStore
from registry.storage.blobs.memory import MemoryBlobStore
from registry.storage.disk.root import Root
from tests.support.registry.claims import Claims, Place, RowClaims
from tests.support.registry.clocks import FakeClock
from tests.support.registry.guards import MemoryGuard
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
        store: BlobStore = FilesystemBlobStore(root, MemoryGuard())
        if is_two:
            store = AlternatingStore(store, FilesystemBlobStore(root, MemoryGuard()))
        yield store
        await store.aclose()


def process_claims() -> Claims:
    return Sessions(FakeClock())


@pytest.fixture(params=[process_claims, RowClaims], ids=["claims of a process", "claims of a row"])
def place(request: pytest.FixtureRequest, store: BlobStore) -> Place:
    claims: Claims = request.param()
    return Place(store, claims)


async def blob_of(place: Place, stored: Stored) -> bytes:
    reader = await place.store.reader(stored.physical, stored.size)
    assert reader is not None
    assert reader.size == stored.size
    return await read_all(reader)


async def is_refused(writer: BlobWriter) -> bool:
    """Whether a writer is told at its end that its claim is lost."""
    with pytest.raises(BlobUploadUnknown) as refusal:
        await writer.release()
    return refusal.type is ClaimLost


async def test_a_session_begins_empty(place: Place) -> None:
    session = str(uuid4())
    await place.store.begin(session)

    assert await place.offset(session) == 0
    writer = await place.writer(session)
    assert writer.offset == 0
    assert (await writer.release()).offset == 0


async def test_a_session_that_never_began_is_unknown(place: Place) -> None:
    session = str(uuid4())

    assert await place.offset(session) is None
    with pytest.raises(BlobUploadUnknown):
        await place.writer(session)


async def test_a_session_resumes_where_its_last_writer_stopped(place: Place) -> None:
    session = await place.a_session(CONTENT[:10])

    writer = await place.writer(session)
    resumed_at = writer.offset
    await writer.write(CONTENT[10:])
    stored = await writer.commit(Digest.of(CONTENT))
    await writer.release()

    assert resumed_at == 10
    assert await blob_of(place, stored) == CONTENT


async def test_a_released_writer_has_recorded_its_progress(place: Place) -> None:
    session = await place.a_session()
    claim = await place.claims.claim(session, "sha256")
    writer = await place.store.writer(claim, place.claims.record)

    await writer.write(b"12345")
    released = await writer.release()

    assert released == await writer.release() == place.claims.progress(session)
    assert (released.session, released.offset, released.token) == (session, 5, claim.token)
    assert (await place.claims.claim(session, "sha256")).progress == released


async def test_a_session_whose_progress_is_evicted_is_as_long_as_its_bytes(place: Place) -> None:
    session = await place.a_session(b"hello")
    place.claims.evict(session)

    assert await place.offset(session) == 5
    stored = await place.commit(session, Digest.of(b"hello"))

    assert await blob_of(place, stored) == b"hello"


async def test_written_bytes_are_there_after_a_flush(place: Place) -> None:
    session = await place.a_session()
    writer = await place.writer(session)

    await writer.write(b"12345")
    await writer.flush()

    assert await place.store.offset(session) == writer.offset == 5
    await writer.release()


async def test_a_committed_blob_is_read_completely_and_by_range(place: Place) -> None:
    physical, size = await place.a_blob(CONTENT)

    part = await place.store.reader(physical, size)

    assert part is not None
    assert await blob_of(place, Stored(physical, size)) == CONTENT
    assert await read_all(part, 300_000, 900_001) == CONTENT[300_000:900_001]


async def test_a_range_past_the_end_stops_at_the_end(place: Place) -> None:
    reader = await place.store.reader(*await place.a_blob(b"short"))

    assert reader is not None
    assert await read_all(reader, 3, 99) == b"rt"


async def test_a_mismatched_commit_publishes_nothing(place: Place) -> None:
    session = await place.a_session(b"help!")

    with pytest.raises(DigestMismatch) as refusal:
        await place.commit(session, Digest.of(b"hello"))

    assert refusal.value.actual == Digest.of(b"help!")
    assert await place.offset(session) == 5


async def test_a_mismatched_session_can_be_committed_under_its_digest(place: Place) -> None:
    session = await place.a_session(b"hello")
    with pytest.raises(DigestMismatch):
        await place.commit(session, Digest.of(b"help!"))

    stored = await place.commit(session, Digest.of(b"hello"))

    assert await blob_of(place, stored) == b"hello"


async def test_after_a_commit_the_session_has_no_bytes(place: Place) -> None:
    session = await place.a_session(CONTENT)

    await place.commit(session, Digest.of(CONTENT))

    assert await place.store.offset(session) is None
    with pytest.raises(BlobUploadUnknown):
        await place.writer(session)


async def test_after_a_commit_the_offset_is_the_blobs_size(place: Place) -> None:
    writer = await place.writer(await place.a_session())
    await writer.write(CONTENT)

    stored = await writer.commit(Digest.of(CONTENT))
    released = await writer.release()

    assert stored.size == writer.offset == released.offset == len(CONTENT)


async def test_a_session_discarded_under_its_writer_publishes_nothing(place: Place) -> None:
    session = await place.a_session(b"content")
    writer, late = await place.writer(session), await place.writer(await place.a_session(b"late"))

    await place.discard(session)

    with pytest.raises(BlobUploadUnknown):
        await writer.commit(Digest.of(b"content"))
    assert not await is_refused(writer), "the session has ended; nobody else has claimed it"
    await late.release()


async def test_a_session_whose_bytes_alone_are_gone_publishes_nothing(place: Place) -> None:
    session = await place.a_session(b"content")
    writer = await place.writer(session)

    await place.store.discard(Progress.unknown(session))

    with pytest.raises(BlobUploadUnknown):
        await writer.commit(Digest.of(b"content"))
    await writer.release()


async def test_an_older_claim_neither_records_nor_commits(place: Place) -> None:
    session = await place.a_session(b"hello")
    older, other = await place.writer(session), await place.writer(await place.a_session())
    await older.write(b" from the older one")

    newer = await place.writer(session)
    await newer.write(b", world")

    with pytest.raises(ClaimLost):
        await older.commit(Digest.of(b"hello from the older one"))
    with pytest.raises(ClaimLost):
        await older.rewind(0)
    assert await is_refused(older)
    content = b"hello, world" if newer.offset == 12 else b"hello from the older one, world"
    stored = await newer.commit(Digest.of(content))
    await newer.release()
    await other.release()
    assert await blob_of(place, stored) == content


async def test_a_newer_claim_fences_before_it_has_a_writer(place: Place) -> None:
    session = await place.a_session()
    writer = await place.writer(session)
    await writer.write(b"hello")

    newer = await place.claims.claim(session, "sha256")

    with pytest.raises(ClaimLost):
        await writer.commit(Digest.of(b"hello"))
    assert await is_refused(writer)
    assert newer.progress is None or newer.progress.offset == 0
    assert {file.kind for file in await listed(place.store)} == {"upload"}


async def test_an_older_writer_changes_no_byte_of_a_newer_one(place: Place) -> None:
    """Even after the commit: it may hang between any two of its chunks."""
    session = await place.a_session(b"hello")
    older = await place.writer(session)

    newer = await place.writer(session)
    await newer.write(CONTENT)
    await older.write(b"!" * len(CONTENT))
    await older.flush()
    stored = await newer.commit(Digest.of(b"hello" + CONTENT))
    await newer.release()
    await older.write(b"?" * len(CONTENT))
    await older.flush()

    assert await is_refused(older)
    assert await blob_of(place, stored) == b"hello" + CONTENT
    assert await place.store.verify(stored.physical, "sha256") == Digest.of(b"hello" + CONTENT)


async def test_a_claim_that_comes_late_to_the_store_destroys_nothing(place: Place) -> None:
    session = await place.a_session(b"hello")
    late = await place.claims.claim(session, "sha256")
    newer = await place.writer(session)
    await newer.write(b", world")
    await newer.flush()

    with pytest.raises(ClaimLost):
        await place.store.writer(late, place.claims.record)

    stored = await newer.commit(Digest.of(b"hello, world"))
    await newer.release()
    assert await blob_of(place, stored) == b"hello, world"


async def test_what_a_late_claim_appends_is_dropped_by_the_next(place: Place) -> None:
    session = await place.a_session(b"hello")
    late = await place.claims.claim(session, "sha256")
    await (await place.writer(session)).release()
    try:
        writer = await place.store.writer(late, place.claims.record)
        await writer.write(b" and a lie")
        await writer.flush()
        assert await is_refused(writer)
    except ClaimLost:
        pass  # a store may refuse it at once

    stored = await place.commit(session, Digest.of(b"hello"))

    assert await blob_of(place, stored) == b"hello"


async def test_bytes_are_hashed_again_where_another_store_put_others(place: Place) -> None:
    """As many of them, in the same places: a hash kept by session and size would fit."""
    session = await place.a_session(b"hello")
    other = await place.writer(session)
    await other.rewind(0)
    await other.write(b"world")
    await other.release()

    with pytest.raises(DigestMismatch):
        await place.commit(session, Digest.of(b"hello"))

    stored = await place.commit(session, Digest.of(b"world"))
    assert await blob_of(place, stored) == b"world"


async def test_a_rewind_that_was_never_released_is_known_to_the_next_claim(place: Place) -> None:
    session = await place.a_session(b"hello")
    hanging, _ = await place.writer(session), await place.store.offset(session)
    await hanging.rewind(0)
    await hanging.write(b"world")
    await hanging.flush()

    writer = await place.writer(session)
    await writer.write(b"HELLO"[writer.offset :])
    with pytest.raises(DigestMismatch):
        await writer.commit(Digest.of(b"hello"))

    stored = await writer.commit(Digest.of(b"HELLO"))
    await writer.release()
    assert await is_refused(hanging)
    assert await blob_of(place, stored) == b"HELLO"


async def test_the_same_digest_gets_a_name_of_its_own_each_time(place: Place) -> None:
    first, second = await place.a_blob(CONTENT), await place.a_blob(CONTENT)

    assert first != second
    assert await place.store.remove([first.physical]) == {}
    assert await place.store.stat(first.physical) is None
    assert await blob_of(place, second) == CONTENT


async def test_the_digest_may_have_another_algorithm_than_was_expected(place: Place) -> None:
    digest = Digest.of(CONTENT, "sha512")
    session = await place.a_session(CONTENT, algorithm="sha256")

    stored = await place.commit(session, digest)

    assert await blob_of(place, stored) == CONTENT


async def test_an_empty_blob_is_a_blob(place: Place) -> None:
    assert await blob_of(place, await place.a_blob(b"")) == b""


async def test_rewinding_truncates_the_session(place: Place) -> None:
    session = await place.a_session(b"hello")

    writer = await place.writer(session)
    await writer.write(b" and a lie")
    await writer.rewind(5)
    await writer.write(b", world")
    stored = await writer.commit(Digest.of(b"hello, world"))
    await writer.release()

    assert await blob_of(place, stored) == b"hello, world"


async def test_discarding_a_session_twice_is_not_an_error(place: Place) -> None:
    session = await place.a_session(CONTENT)

    await place.discard(session)
    await place.discard(session)

    assert await place.store.offset(session) is None
    assert await listed(place.store) == []


async def test_an_open_blob_stays_readable_when_it_is_removed(place: Place) -> None:
    physical, size = await place.a_blob(CONTENT)
    reader = await place.store.reader(physical, size)

    await place.store.remove([physical])

    assert await place.store.reader(physical, size) is None
    assert reader is not None
    assert await read_all(reader) == CONTENT


async def test_a_batch_is_removed_whatever_of_it_is_there(place: Place) -> None:
    gone = [(await place.a_blob(b"%d" % number)).physical for number in range(20)]
    kept = await place.a_blob(CONTENT)
    never = [f"{number:064x}-{uuid4()}" for number in range(FILES_PER_REMOVAL - len(gone))]

    for _ in range(2):
        assert await place.store.remove([*never[:500], *gone, *never[500:]]) == {}

    assert [file.name for file in await listed(place.store)] == [kept.physical]


async def test_many_tiny_chunks_are_one_blob(place: Place) -> None:
    content = bytes(range(256)) * 20
    session = await place.a_session(*(content[n : n + 1] for n in range(len(content))))

    stored = await place.commit(session, Digest.of(content))

    assert await blob_of(place, stored) == content


async def listed(store: BlobStore) -> list[StoredFile]:
    return [
        file for part in range(store.parts) async for found in store.listing(part) for file in found
    ]


async def test_a_listing_has_every_file_once_in_one_of_its_parts(place: Place) -> None:
    blobs = {(await place.a_blob(b"blob %d" % number)).physical for number in range(20)}
    session = await place.a_session(b"12345")

    files = await listed(place.store)

    assert {file.name for file in files if file.kind == "blob"} == blobs
    uploads = [file for file in files if file.kind == "upload"]
    assert [(file.size, file.session) for file in uploads] == [(5, session)]
    assert len(files) == 21


async def test_a_listed_blob_tells_the_session_that_it_came_by(place: Place) -> None:
    session = await place.a_session(CONTENT)
    await place.commit(session, Digest.of(CONTENT))

    assert [file.session for file in await listed(place.store)] == [session]


async def test_what_was_listed_can_be_removed(place: Place) -> None:
    await place.a_blob(CONTENT)
    await place.a_session(CONTENT)

    names = [file.name for file in await listed(place.store)]
    assert await place.store.remove(names) == {}

    assert len(names) == 2
    assert await listed(place.store) == []


async def test_a_blob_is_verified_by_reading_its_bytes(place: Place) -> None:
    store, (physical, _) = place.store, await place.a_blob(CONTENT)
    read: list[int] = []

    assert await store.verify(physical, "sha256") == Digest.of(CONTENT)
    assert await store.verify(physical, "sha512", read.append) == Digest.of(CONTENT, "sha512")
    assert sum(read) == len(CONTENT)


async def test_a_pace_that_raises_ends_the_reading(place: Place) -> None:
    def stop(_count: int) -> None:
        raise LookupError("a test")

    physical, _ = await place.a_blob(CONTENT)

    with pytest.raises(LookupError):
        await place.store.verify(physical, "sha256", stop)


async def test_what_is_not_there_has_no_digest_and_no_size(place: Place) -> None:
    store, (physical, size) = place.store, await place.a_blob(CONTENT)
    await store.remove([physical])

    assert await store.verify(physical, "sha256") is None
    assert await store.verify(physical, "sha256", unpaced) is None
    assert await store.stat(physical) is None
    assert await store.reader(physical, size) is None


async def test_a_link_is_the_blobs_bytes_or_there_is_none(place: Place, tmp_path: Path) -> None:
    store, (physical, _) = place.store, await place.a_blob(CONTENT)

    is_linked = await store.link(physical, tmp_path / "link")
    await store.remove([physical])

    assert is_linked == (tmp_path / "link").exists()
    assert not is_linked or (tmp_path / "link").read_bytes() == CONTENT
    assert not await store.link(physical, tmp_path / "again")
