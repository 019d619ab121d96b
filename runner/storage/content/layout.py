"""LayoutContentStore: a ContentStore in an OCI image layout.

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
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from oci.digest import LENGTHS, Digest, Digester, DigestMismatch, InvalidDigest
from runner.storage.content.contract import BlobUnknown, SizeMismatch
from runner.storage.files.durable import publish, sync_directory
from runner.tasks.keyed_locks import KeyedLocks
from runner.tasks.threads import in_thread, opened_in_thread

_CHUNK_BYTES: Final = 1 << 20


class LayoutContentStore:
    """ContentStore, see the contract: a blob is a file named by its digest."""

    def __init__(self, root: Path) -> None:
        self._blobs = root / "blobs"
        for algorithm in LENGTHS:
            (self._blobs / algorithm).mkdir(parents=True, exist_ok=True)
        self._locks = KeyedLocks[Digest]()
        self.partial = PartialFiles(root / "ingest", self._locks.in_use)

    def path(self, digest: Digest) -> Path:
        return self._blobs / digest.algorithm / digest.encoded

    def has(self, digest: Digest) -> bool:
        return self.path(digest).exists()

    def read(self, digest: Digest) -> bytes:
        try:
            content = self.path(digest).read_bytes()
        except FileNotFoundError:
            raise BlobUnknown(digest) from None
        actual = Digest.of(content, digest.algorithm)
        if actual != digest:
            raise DigestMismatch(digest, actual)
        return content

    @asynccontextmanager
    async def ingest(self, digest: Digest, size: int) -> AsyncIterator["FileIngest"]:
        async with self._locks.hold(digest):
            ingest = FileIngest(digest, size, self.partial.path(digest), self.path(digest))
            try:
                await in_thread(ingest.resume)
                yield ingest
            finally:
                await ingest.aclose()

    async def delete(self, digest: Digest) -> int:
        path, size = self.path(digest), 0
        with suppress(FileNotFoundError):
            size = path.stat().st_size
            path.unlink()
        self.partial.path(digest).unlink(missing_ok=True)
        return size

    def digests(self) -> Iterator[Digest]:
        for directory in self._blobs.iterdir():
            for name in os.listdir(directory):
                with suppress(InvalidDigest):
                    yield Digest.parse(f"{directory.name}:{name}")


class PartialFiles:
    """PartialIngests, see the contract: a file each, but for the digests ``in_progress``."""

    def __init__(self, directory: Path, in_progress: Callable[[], frozenset[Digest]]) -> None:
        self._directory = directory
        self._in_progress = in_progress
        directory.mkdir(exist_ok=True)

    def path(self, digest: Digest) -> Path:
        return self._directory / f"{digest.algorithm}-{digest.encoded}"

    def total_bytes(self) -> int:
        return sum(found.st_size for _, found in self._files())

    async def discard(self, idle_seconds: float = 0) -> int:
        freed = 0
        for path, found in self._files():
            if time.time() - found.st_mtime >= idle_seconds:
                path.unlink(missing_ok=True)
                freed += found.st_size
        return freed

    def _files(self) -> Iterator[tuple[Path, os.stat_result]]:
        """The files of all ingests but those in progress."""
        busy = {self.path(digest) for digest in self._in_progress()}
        for path in self._directory.iterdir():
            if path not in busy:
                with suppress(FileNotFoundError):
                    yield path, path.stat()


class FileIngest:
    """Ingest, see the contract: buffers a MiB before it writes to the partial file, in a thread."""

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
        async with opened_in_thread(self._open) as file:
            remaining = self.offset
            while remaining:
                chunk = await in_thread(file.read, min(_CHUNK_BYTES, remaining))
                if not chunk:
                    break
                remaining -= len(chunk)
                yield chunk

    async def append(self, chunk: bytes) -> None:
        if self.offset + len(chunk) > self.size:
            raise SizeMismatch(self.digest, self.offset + len(chunk), self.size)
        self.offset += len(chunk)
        self._waiting.append(chunk)
        self._waiting_bytes += len(chunk)
        if self._waiting_bytes >= _CHUNK_BYTES:
            await self._write_waiting()

    async def restart(self) -> None:
        self._waiting, self._waiting_bytes = [], 0
        await in_thread(self._start_over)
        self.offset = 0

    async def commit(self) -> None:
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
