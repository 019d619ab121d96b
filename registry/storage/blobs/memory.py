"""MemoryBlobStore: a dict, for tests and for registries without durable storage."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal

from oci.digest import Digest, DigestMismatch
from registry.errors import BlobUploadUnknown, StorageFailed
from registry.storage.blobs.claims import Claim, Progress, Record
from registry.storage.blobs.contract import (
    BlobReader,
    BlobStat,
    BlobWriter,
    Pace,
    Stored,
    StoredFile,
)
from registry.storage.blobs.names import physical_name, session_of
from registry.storage.own_thread import in_own_thread

CHUNK_BYTES = 256 * 1024


@dataclass(slots=True)
class MemoryBlobStore:
    """A BlobStore whose content ends with the process."""

    sessions: dict[str, bytearray] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)

    async def begin(self, session: str) -> None:
        self.sessions[session] = bytearray()

    async def writer(self, claim: Claim, record: Record) -> BlobWriter:
        found = self.sessions.get(claim.session)
        if found is None:
            raise BlobUploadUnknown(claim.session)
        offset = len(found)
        if claim.progress is not None:
            offset = min(offset, claim.progress.offset)
        await record(Progress(claim.session, offset, claim.token))
        # Bytes of its own: an older writer may still be at work.
        content = self.sessions[claim.session] = found[:offset]
        return MemoryWriter(self, claim, record, content)

    async def offset(self, session: str) -> int | None:
        content = self.sessions.get(session)
        return None if content is None else len(content)

    async def discard(self, progress: Progress) -> None:
        self.sessions.pop(progress.session, None)

    async def reader(self, physical: str, size: int) -> BlobReader | None:
        content = self.blobs.get(physical)
        return None if content is None or len(content) != size else MemoryReader(content)

    async def stat(self, physical: str) -> BlobStat | None:
        content = self.blobs.get(physical)
        return None if content is None else BlobStat(len(content), 0)

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
        yield [
            StoredFile(kind, name, len(content), name, session_of(name) if part else name)
            for name, content in held.items()
        ]

    async def aclose(self) -> None:
        return None


@dataclass(slots=True)
class MemoryWriter:
    """The BlobWriter of MemoryBlobStore."""

    store: MemoryBlobStore
    claim: Claim
    record: Record
    content: bytearray
    is_open: bool = True

    @property
    def offset(self) -> int:
        return len(self.content)

    @property
    def progress(self) -> Progress:
        return Progress(self.claim.session, self.offset, self.claim.token)

    async def write(self, chunk: bytes) -> None:
        self.content += chunk

    async def flush(self) -> None:
        return None

    async def rewind(self, offset: int) -> None:
        await self.record(Progress(self.claim.session, offset, self.claim.token))
        del self.content[offset:]

    async def commit(self, digest: Digest) -> Stored:
        await self.record(self.progress)
        content, session = bytes(self.content), self.claim.session
        actual = Digest.of(content, digest.algorithm)
        if actual != digest:
            raise DigestMismatch(digest, actual)
        if self.store.sessions.get(session) is not self.content:
            raise BlobUploadUnknown(session)
        del self.store.sessions[session]
        physical = physical_name(digest, session)
        self.store.blobs[physical] = content
        self.is_open = False
        return Stored(physical, len(content))

    async def release(self) -> Progress:
        if self.is_open:
            self.is_open = False
            await self.record(self.progress)
        return self.progress


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
