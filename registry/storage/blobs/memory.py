"""MemoryBlobStore: a dict, for tests and for registries without durable storage."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal

from oci.digest import Digest, DigestMismatch
from registry.errors import BlobUploadUnknown, StorageFailed
from registry.storage.blobs.names import physical_name
from registry.storage.blobs.store import BlobReader, BlobWriter, Pace, StoredFile
from registry.storage.own_thread import in_own_thread

CHUNK_BYTES = 256 * 1024


@dataclass(slots=True)
class MemoryBlobStore:
    """A BlobStore whose content ends with the process."""

    sessions: dict[str, bytearray] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)

    async def begin(self, session: str) -> None:
        self.sessions[session] = bytearray()

    async def offset(self, session: str) -> int | None:
        content = self.sessions.get(session)
        return None if content is None else len(content)

    async def writer(self, session: str, algorithm: str) -> BlobWriter:
        content = self.sessions.get(session)
        if content is None:
            raise BlobUploadUnknown(session)
        return MemoryWriter(self, session, content)

    async def discard(self, session: str) -> None:
        self.sessions.pop(session, None)

    async def open(self, physical: str) -> BlobReader | None:
        content = self.blobs.get(physical)
        return None if content is None else MemoryReader(content)

    async def stat(self, physical: str) -> int | None:
        content = self.blobs.get(physical)
        return None if content is None else len(content)

    async def changed_at(self, physical: str) -> int | None:
        return 0 if physical in self.blobs else None

    async def verify(
        self, physical: str, algorithm: str, pace: Pace | None = None
    ) -> Digest | None:
        content = self.blobs.get(physical)
        if content is not None and pace is not None:
            await in_own_thread(pace, len(content))
        return None if content is None else Digest.of(content, algorithm)

    async def remove(self, names: Sequence[str]) -> Mapping[str, StorageFailed]:
        for name in names:
            self.blobs.pop(name, None)
            self.sessions.pop(name, None)
        return {}

    async def link(self, physical: str, target: Path) -> bool:
        return False

    @property
    def parts(self) -> int:
        return 2

    async def listing(self, part: int) -> AsyncIterator[list[StoredFile]]:
        held: Mapping[str, bytes | bytearray] = self.blobs if part else self.sessions
        kind: Literal["blob", "upload"] = "blob" if part else "upload"
        yield [StoredFile(kind, name, len(held), name) for name, held in held.items()]

    async def aclose(self) -> None:
        return None


@dataclass(slots=True)
class MemoryWriter:
    """The BlobWriter of MemoryBlobStore."""

    store: MemoryBlobStore
    session: str
    content: bytearray

    @property
    def offset(self) -> int:
        return len(self.content)

    async def write(self, chunk: bytes) -> None:
        self.content += chunk

    async def flush(self) -> None:
        return None

    async def rewind(self, offset: int) -> None:
        del self.content[offset:]

    async def commit(self, digest: Digest) -> str:
        content = bytes(self.content)
        actual = Digest.of(content, digest.algorithm)
        if actual != digest:
            raise DigestMismatch(digest, actual)
        if self.store.sessions.pop(self.session, None) is None:
            raise BlobUploadUnknown(self.session)
        physical = physical_name(digest, self.session)
        self.store.blobs[physical] = content
        return physical

    async def aclose(self) -> None:
        return None


@dataclass(frozen=True, slots=True)
class MemoryReader:
    """The BlobReader of MemoryBlobStore."""

    content: bytes

    @property
    def size(self) -> int:
        return len(self.content)

    @property
    def file(self) -> BinaryIO | None:
        return None

    async def chunks(self, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        stop = self.size if stop is None else min(stop, self.size)
        for begin in range(start, stop, CHUNK_BYTES):
            yield self.content[begin : min(begin + CHUNK_BYTES, stop)]

    async def aclose(self) -> None:
        return None
