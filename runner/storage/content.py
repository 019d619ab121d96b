"""ContentStore: blobs in an OCI image layout.

https://github.com/opencontainers/image-spec/blob/main/image-layout.md

    content/blobs/<algorithm>/<encoded>     whole and verified
    content/ingest/<algorithm>-<encoded>    arriving, or cut off and to be resumed

A blob is synced before its rename: without the sync, a power cut could leave other bytes under its
name.  One fsync per blob, while its layer is being unpacked, is cheaper than verifying each blob
on use.
"""

import io
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from oci.digest import LENGTHS, Digest, Digester, DigestMismatch, InvalidDigest
from runner.errors import NotFound, RunnerError
from runner.storage.files.durable import publish, sync_directory
from runner.tasks.keyed_locks import KeyedLocks
from runner.tasks.threads import in_thread

_CHUNK_BYTES: Final = 1 << 20


class BlobUnknown(NotFound):
    """The content store does not have this blob."""

    def __init__(self, digest: Digest) -> None:
        super().__init__(f"blob {digest} is not in the content store")


class SizeMismatch(RunnerError):
    """A blob's size differs from its descriptor's."""

    def __init__(self, digest: Digest, found: int, expected: int) -> None:
        super().__init__(f"blob {digest} has {found} bytes, expected {expected}")


class ContentStore:
    """Immutable blobs under their digests.

    A blob is written through an ``Ingest`` and becomes visible, whole, by ``commit``.  Without a
    commit the partial file stays, and the next ingest of that digest resumes it, even after the
    daemon was killed.
    """

    def __init__(self, root: Path) -> None:
        self._blobs = root / "blobs"
        self._ingest = root / "ingest"
        for algorithm in LENGTHS:
            (self._blobs / algorithm).mkdir(parents=True, exist_ok=True)
        self._ingest.mkdir(exist_ok=True)
        self._partial_locks = KeyedLocks[Digest]()

    def path(self, digest: Digest) -> Path:
        """The blob's path, whether or not it exists; for sendfile and tools that read layouts."""
        return self._blobs / digest.algorithm / digest.encoded

    def size(self, digest: Digest) -> int | None:
        """The blob's size in bytes, or None if it is missing."""
        try:
            return self.path(digest).stat().st_size
        except FileNotFoundError:
            return None

    def has(self, digest: Digest) -> bool:
        return self.size(digest) is not None

    def open(self, digest: Digest) -> BinaryIO:
        """The blob, open for reading, or BlobUnknown; a later delete does not disturb it."""
        try:
            return open(self.path(digest), "rb")
        except FileNotFoundError:
            raise BlobUnknown(digest) from None

    def read(self, digest: Digest) -> bytes:
        """Read a small blob, a manifest or a config, and verify it."""
        with self.open(digest) as file:
            content = file.read()
        actual = Digest.of(content, digest.algorithm)
        if actual != digest:
            raise DigestMismatch(digest, actual)
        return content

    async def put(self, digest: Digest, content: bytes) -> None:
        """Store a small blob, unless it exists."""
        async with self.ingest(digest, len(content)) as ingest:
            if not ingest.complete:
                await ingest.restart()
                await ingest.append(content)
                await ingest.commit()

    @asynccontextmanager
    async def ingest(self, digest: Digest, size: int) -> AsyncIterator["Ingest"]:
        """Receive a blob of this size; a second ingest of the digest waits for the first.

        After the wait ``complete`` may be true: the first has committed the blob.
        """
        async with self._partial_locks.hold(digest):
            arriving = self._ingest / f"{digest.algorithm}-{digest.encoded}"
            ingest = Ingest(digest, size, arriving, self.path(digest))
            try:
                await in_thread(ingest.resume)
                yield ingest
            finally:
                await ingest.aclose()

    async def delete(self, digest: Digest) -> None:
        """Delete the blob and its partial file; no error if they are missing."""
        self.path(digest).unlink(missing_ok=True)
        (self._ingest / f"{digest.algorithm}-{digest.encoded}").unlink(missing_ok=True)

    def digests(self) -> Iterator[Digest]:
        """Every stored blob, unordered."""
        for directory in self._blobs.iterdir():
            for name in os.listdir(directory):
                with suppress(InvalidDigest):
                    yield Digest.parse(f"{directory.name}:{name}")

    async def discard_partial(self, idle_seconds: float = 0) -> int:
        """Delete partial files not resumed for ``idle_seconds``; returns the bytes freed.

        Files of an ingest in progress are kept.
        """
        freed = 0
        for path, found in self._partial_files():
            if time.time() - found.st_mtime >= idle_seconds:
                path.unlink(missing_ok=True)
                freed += found.st_size
        return freed

    def partial_bytes(self) -> int:
        """The size of all partial files without an ingest in progress."""
        return sum(found.st_size for _, found in self._partial_files())

    def _partial_files(self) -> Iterator[tuple[Path, os.stat_result]]:
        in_use = self._partial_locks.in_use()
        busy = {f"{digest.algorithm}-{digest.encoded}" for digest in in_use}
        for path in self._ingest.iterdir():
            if path.name not in busy:
                with suppress(FileNotFoundError):
                    yield path, path.stat()


async def put_document(content: ContentStore, digest: Digest, document: bytes) -> None:
    """Store a manifest or config; a corrupt copy is replaced."""
    try:
        content.read(digest)
    except BlobUnknown:
        await content.put(digest, document)
    except DigestMismatch:
        await content.delete(digest)
        await content.put(digest, document)


class Ingest:
    """The ingest of one blob: ``offset`` bytes are present; ``append`` the rest, then ``commit``.

    ``append`` buffers a MiB before it writes, in a thread; ``offset`` includes buffered bytes.
    """

    def __init__(self, digest: Digest, size: int, arriving: Path, place: Path) -> None:
        self.digest = digest
        self.size = size
        self.offset = 0
        self.complete = False
        self._arriving = arriving
        self._place = place
        self._file: io.FileIO | None = None
        self._digester = Digester(digest.algorithm)
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0

    def resume(self) -> None:
        """Open the partial file and hash it: hash states are not stored."""
        if self._place.exists():
            self.complete, self.offset = True, self.size
            return
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        file = self._file = io.FileIO(os.open(self._arriving, flags, 0o600), "r+b")
        while chunk := file.read(_CHUNK_BYTES):
            self._digester.update(chunk)
        if self._digester.size > self.size:
            self._start_over()
        self.offset = self._digester.size

    async def arrived(self) -> AsyncIterator[bytes]:
        """The bytes present before the first append, for consumers that need the whole blob."""
        with await in_thread(self._open) as file:
            remaining = self.offset
            while remaining:
                chunk = await in_thread(file.read, min(_CHUNK_BYTES, remaining))
                if not chunk:
                    break
                remaining -= len(chunk)
                yield chunk

    async def append(self, chunk: bytes) -> None:
        """Append bytes; SizeMismatch if they exceed the size."""
        if self.offset + len(chunk) > self.size:
            raise SizeMismatch(self.digest, self.offset + len(chunk), self.size)
        self.offset += len(chunk)
        self._waiting.append(chunk)
        self._waiting_bytes += len(chunk)
        if self._waiting_bytes >= _CHUNK_BYTES:
            await self._write_waiting()

    async def restart(self) -> None:
        """Discard all bytes: the sender cannot resume, or the partial file is corrupt."""
        self._waiting, self._waiting_bytes = [], 0
        await in_thread(self._start_over)
        self.offset = 0

    async def commit(self) -> None:
        """Make the blob visible and durable, or raise SizeMismatch or DigestMismatch.

        If too short, the partial file is kept to be resumed; with a wrong digest it is deleted.
        """
        if self.complete:
            return
        await self._write_waiting()
        if self.offset != self.size:
            raise SizeMismatch(self.digest, self.offset, self.size)
        actual = self._digester.digest()
        if actual != self.digest:
            await self.restart()
            raise DigestMismatch(self.digest, actual)
        await in_thread(self._publish)
        self.complete = True

    async def aclose(self) -> None:
        """Close the ingest; the partial file is kept for the next one."""
        if self._file is not None:
            try:
                if not self.complete:
                    await self._write_waiting()
            finally:
                self._file.close()
                self._file = None
                if not self.complete and self.offset == 0:
                    self._arriving.unlink(missing_ok=True)

    async def _write_waiting(self) -> None:
        waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
        if waiting:
            await in_thread(self._write, waiting)

    def _open(self) -> BinaryIO:
        return open(self._place if self.complete else self._arriving, "rb")

    def _write(self, chunks: list[bytes]) -> None:
        assert self._file is not None
        content = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        self._digester.update(content)
        view = memoryview(content)
        while view:
            view = view[self._file.write(view) :]

    def _publish(self) -> None:
        assert self._file is not None
        os.fsync(self._file.fileno())
        publish(self._arriving, self._place)
        sync_directory(self._arriving.parent)

    def _start_over(self) -> None:
        assert self._file is not None
        self._file.seek(0)
        self._file.truncate()
        self._digester = Digester(self.digest.algorithm)
