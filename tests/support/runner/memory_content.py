"""MemoryContentStore: a ContentStore of dictionaries, for tests."""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from oci.digest import Digest, DigestMismatch
from runner.storage.content.contract import BlobUnknown, SizeMismatch
from runner.tasks.keyed_locks import KeyedLocks


@dataclass
class Arrived:
    """The bytes of an ingest that has not committed, and when the last of them came."""

    content: bytearray = field(default_factory=bytearray)
    time: float = field(default_factory=time.time)

    def append(self, chunk: bytes) -> None:
        self.content += chunk
        self.time = time.time()


class MemoryContentStore:
    """ContentStore, see the contract.

    Its blobs are written to files of ``directory`` for whoever asks for their path.  ``blobs`` and
    ``arrived`` are what a later store of the same bytes begins with, as the next daemon's does.
    """

    def __init__(
        self,
        directory: Path,
        blobs: dict[Digest, bytes] | None = None,
        arrived: dict[Digest, Arrived] | None = None,
    ) -> None:
        self.blobs = {} if blobs is None else blobs
        self.arrived = {} if arrived is None else arrived
        self._directory = directory
        self._locks = KeyedLocks[Digest]()
        self.partial = MemoryPartialIngests(self.arrived, self._locks)

    def has(self, digest: Digest) -> bool:
        return digest in self.blobs

    def path(self, digest: Digest) -> Path:
        place = self._place(digest)
        if digest in self.blobs and not place.exists():
            self._directory.mkdir(parents=True, exist_ok=True)
            place.write_bytes(self.blobs[digest])
        return place

    def read(self, digest: Digest) -> bytes:
        if digest not in self.blobs:
            raise BlobUnknown(digest)
        actual = Digest.of(self.blobs[digest], digest.algorithm)
        if actual != digest:
            raise DigestMismatch(digest, actual)
        return self.blobs[digest]

    @asynccontextmanager
    async def ingest(self, digest: Digest, size: int) -> AsyncIterator["MemoryIngest"]:
        async with self._locks.hold(digest):
            try:
                yield MemoryIngest(self, digest, size)
            finally:
                if digest in self.arrived and not self.arrived[digest].content:
                    del self.arrived[digest]

    async def delete(self, digest: Digest) -> int:
        self._place(digest).unlink(missing_ok=True)
        self.arrived.pop(digest, None)
        return len(self.blobs.pop(digest, b""))

    def digests(self) -> Iterator[Digest]:
        yield from tuple(self.blobs)

    def _place(self, digest: Digest) -> Path:
        return self._directory / f"{digest.algorithm}-{digest.encoded}"


class MemoryPartialIngests:
    """PartialIngests, see the contract."""

    def __init__(self, arrived: dict[Digest, Arrived], locks: KeyedLocks[Digest]) -> None:
        self._arrived = arrived
        self._locks = locks

    def total_bytes(self) -> int:
        return sum(len(arrived.content) for _, arrived in self._left())

    async def discard(self, idle_seconds: float = 0) -> int:
        freed = 0
        for digest, arrived in tuple(self._left()):
            if time.time() - arrived.time >= idle_seconds:
                freed += len(arrived.content)
                del self._arrived[digest]
        return freed

    def _left(self) -> Iterator[tuple[Digest, Arrived]]:
        busy = self._locks.in_use()
        return (
            (digest, arrived) for digest, arrived in self._arrived.items() if digest not in busy
        )


class MemoryIngest:
    """Ingest, see the contract."""

    def __init__(self, store: MemoryContentStore, digest: Digest, size: int) -> None:
        self._store = store
        self._digest = digest
        self._size = size
        self._arrived = Arrived()
        if not self.complete:
            self._arrived = store.arrived.setdefault(digest, Arrived())
            if self.offset > size:
                self._arrived.content.clear()

    @property
    def offset(self) -> int:
        return self._size if self.complete else len(self._arrived.content)

    @property
    def complete(self) -> bool:
        return self._store.has(self._digest)

    async def arrived(self) -> AsyncIterator[bytes]:
        content = self._store.blobs.get(self._digest, bytes(self._arrived.content))
        if content:
            yield content

    async def append(self, chunk: bytes) -> None:
        if self.offset + len(chunk) > self._size:
            raise SizeMismatch(self._digest, self.offset + len(chunk), self._size)
        self._arrived.append(chunk)

    async def restart(self) -> None:
        self._arrived.content.clear()

    async def commit(self) -> None:
        if self.complete:
            return
        if self.offset != self._size:
            raise SizeMismatch(self._digest, self.offset, self._size)
        content = bytes(self._arrived.content)
        actual = Digest.of(content, self._digest.algorithm)
        if actual != self._digest:
            self._arrived.content.clear()
            raise DigestMismatch(self._digest, actual)
        self._store.blobs[self._digest] = content
        self._store.arrived.pop(self._digest, None)
