"""UploadFile: the order of its steps, its batches, and disk errors."""

import asyncio
import errno
import os
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from oci.digest import Digest
from registry.errors import RegistryReadOnly, StorageFailed, StorageFull
from registry.storage.blobs import names as blob_names
from registry.storage.blobs.contract import BlobWriter
from registry.storage.blobs.filesystem import upload_file
from registry.storage.blobs.filesystem.append_file import BYTES_PER_BATCH
from registry.storage.blobs.filesystem.store import FilesystemBlobStore
from registry.storage.disk.root import Root
from tests.support.registry.claims import Place
from tests.support.registry.guards import MemoryGuard

MIB = 1024 * 1024


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[FilesystemBlobStore]:
    with Root.open(tmp_path) as root:
        store = FilesystemBlobStore(root, MemoryGuard())
        yield store
        await store.aclose()


@pytest.fixture
def place(store: FilesystemBlobStore) -> Place:
    return Place(store)


async def write(writer: BlobWriter, *chunks: bytes) -> None:
    for chunk in chunks:
        await writer.write(chunk)
    await writer.flush()


class Recorder:
    """Calls the real functions, and writes down in which order, and of what."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
        self.calls: list[str] = []
        for name in names:
            monkeypatch.setattr(os, name, self._recording(name, getattr(os, name)))

    def _recording(self, name: str, real: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            of = f" {self._kind(arguments[0])}" if name == "fsync" else ""
            self.calls.append(name + of)
            return real(*arguments, **options)

        return call

    def _kind(self, fd: int) -> str:
        return "directory" if os.path.isdir(f"/proc/self/fd/{fd}") else "file"


async def test_bytes_are_durable_before_they_have_a_name(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await place.a_session(b"content")
    writer = await place.writer(session)
    recorder = Recorder(monkeypatch, "fsync", "fchmod", "rename")

    await writer.commit(Digest.of(b"content"))

    assert recorder.calls == ["fsync file", "fchmod", "rename", "fsync directory"]
    await writer.release()


async def test_a_published_file_cannot_be_written(place: Place, tmp_path: Path) -> None:
    session = await place.a_session(b"content")
    writer = await place.writer(session)
    physical, _ = await writer.commit(Digest.of(b"content"))
    await writer.release()

    path = tmp_path / blob_names.blob_path(physical)

    assert path.stat().st_mode & 0o777 == 0o444
    assert path.read_bytes() == b"content"


async def test_an_upload_holds_two_batches_at_most(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await place.a_session()
    writer = await place.writer(session)
    assert isinstance(writer, upload_file.UploadFile)
    held = 0

    for _ in range(200):
        await writer.write(bytes(64 * 1024))
        held = max(held, writer.offset - writer._file.written)
    await writer.release()

    assert held <= 2 * BYTES_PER_BATCH + 64 * 1024


async def test_a_resumed_session_does_not_read_its_file_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await place.a_session(b"hello")
    writer = await place.writer(session)
    await writer.write(b", world")
    recorder = Recorder(monkeypatch, "pread")

    await writer.commit(Digest.of(b"hello, world"))

    assert recorder.calls == []
    await writer.release()


async def test_a_lost_hash_is_read_again_from_the_file(tmp_path: Path) -> None:
    with Root.open(tmp_path) as root:
        before = Place(FilesystemBlobStore(root, MemoryGuard()))
        session = await before.a_session(b"hello")
        await before.store.aclose()
        after = Place(FilesystemBlobStore(root, MemoryGuard()), before.claims)

        writer = await after.writer(session)
        await writer.write(b", world")
        stored = await writer.commit(Digest.of(b"hello, world"))
        await writer.release()

        assert await after.store.verify(stored.physical, "sha256") == Digest.of(b"hello, world")
        await after.store.aclose()


async def test_what_grew_behind_our_back_is_no_part_of_the_blob(
    place: Place, tmp_path: Path
) -> None:
    session = await place.a_session(b"hello")
    with (tmp_path / blob_names.upload_path(session)).open("ab") as file:
        file.write(b"!")

    stored = await place.commit(session, Digest.of(b"hello"))

    assert await place.store.verify(stored.physical, "sha256") == Digest.of(b"hello")


async def test_a_file_that_was_cut_short_behind_our_back_is_read_again(
    place: Place, tmp_path: Path
) -> None:
    session = await place.a_session(b"hello")
    os.truncate(tmp_path / blob_names.upload_path(session), 4)

    writer = await place.writer(session)
    assert writer.offset == 4
    stored = await writer.commit(Digest.of(b"hell"))
    await writer.release()

    assert await place.store.verify(stored.physical, "sha256") == Digest.of(b"hell")


async def test_kept_hashes_are_bounded(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry.storage.blobs.filesystem.store.MAX_DIGESTERS", 3)

    for _ in range(5):
        await place.a_session(b"x")

    assert isinstance(place.store, FilesystemBlobStore)
    assert len(place.store._digesters) == 3


async def test_a_release_that_is_cancelled_runs_to_its_end(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await place.a_session()
    writer = await place.writer(session)
    await writer.write(b"content")
    reached, go_on, real = threading.Event(), threading.Event(), os.pwritev

    def wait_first(fd: int, buffers: Sequence[bytes | memoryview], offset: int) -> int:
        reached.set()
        go_on.wait()
        return real(fd, buffers, offset)

    monkeypatch.setattr(os, "pwritev", wait_first)
    releasing = asyncio.create_task(writer.release())
    await asyncio.to_thread(reached.wait)
    for _ in range(2):
        releasing.cancel()
        await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await releasing

    assert await place.offset(session) == 7
    await place.commit(session, Digest.of(b"content"))


def full_after(limit: int, code: int = errno.ENOSPC) -> Any:
    """A pwritev that writes up to ``limit`` bytes of a file, and then no more."""
    real = os.pwritev

    def pwritev(fd: int, buffers: Sequence[bytes | memoryview], offset: int) -> int:
        if offset >= limit:
            raise OSError(code, os.strerror(code))
        rest = limit - offset
        first = memoryview(buffers[0])[:rest]
        return real(fd, [first], offset)

    return pwritev


@pytest.mark.parametrize(
    ("code", "refusal"), [(errno.ENOSPC, StorageFull), (errno.EIO, StorageFailed)]
)
async def test_a_disk_error_is_a_refusal_and_keeps_complete_bytes(
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    refusal: type[Exception],
) -> None:
    session = await place.a_session(b"a" * MIB)
    monkeypatch.setattr(os, "pwritev", full_after(MIB + 100, code))

    writer = await place.writer(session)
    with pytest.raises(refusal):
        await write(writer, *[b"b" * MIB] * 5)
    stood_at = writer.offset
    await writer.release()
    monkeypatch.undo()

    assert stood_at == await place.store.offset(session) == MIB


async def test_a_session_continues_when_a_full_disk_has_space_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await place.a_session(b"a" * MIB)
    monkeypatch.setattr(os, "pwritev", full_after(MIB + 100))
    writer = await place.writer(session)
    with pytest.raises(StorageFull):
        await write(writer, b"b" * MIB)
    await writer.release()
    monkeypatch.undo()

    writer = await place.writer(session)
    await writer.write(b"c")
    await writer.commit(Digest.of(b"a" * MIB + b"c"))
    await writer.release()


async def test_a_disk_that_failed_gets_nothing_more_to_write(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, other = await place.a_session(), await place.a_session()
    monkeypatch.setattr(os, "pwritev", full_after(0, errno.EIO))
    writer, writer_of_other = [await place.writer(s) for s in (session, other)]
    with pytest.raises(StorageFailed):
        await write(writer, b"b" * MIB)
    monkeypatch.undo()

    with pytest.raises(RegistryReadOnly, match="write: Input/output error"):
        await write(writer_of_other, b"c" * MIB)
    with pytest.raises(RegistryReadOnly):
        await place.store.begin(str(uuid4()))
    await writer.release()
    await writer_of_other.release()
    with pytest.raises(RegistryReadOnly):
        await place.writer(session)


@pytest.mark.parametrize("step", ["fsync", "fchmod", "rename"])
async def test_a_commit_that_fails_half_way_publishes_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: str
) -> None:
    session = await place.a_session(b"content")
    writer = await place.writer(session)

    def fail(*_arguments: Any, **_options: Any) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, step, fail)

    with pytest.raises(StorageFailed, match="Input/output error"):
        await writer.commit(Digest.of(b"content"))

    await writer.release()
    assert not [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()]
