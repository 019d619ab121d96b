"""Two stores on one place, as two servers have them: each call goes to the other one."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

from oci.digest import Digest
from registry.errors import StorageFailed
from registry.storage.blobs.claims import Claim, Progress, Record
from registry.storage.blobs.contract import (
    BlobReader,
    BlobStat,
    BlobStore,
    BlobWriter,
    Pace,
    StoredFile,
)


class AlternatingStore:
    """A BlobStore of two: whatever one call did, the next asks the other store."""

    def __init__(self, first: BlobStore, second: BlobStore) -> None:
        self._stores = itertools.cycle((first, second))

    @property
    def _next(self) -> BlobStore:
        return next(self._stores)

    @property
    def parts(self) -> int:
        return self._next.parts

    def listing(self, part: int) -> AsyncIterator[list[StoredFile]]:
        return self._next.listing(part)

    async def begin(self, session: str) -> None:
        await self._next.begin(session)

    async def writer(self, claim: Claim, record: Record) -> BlobWriter:
        return await self._next.writer(claim, record)

    async def offset(self, session: str) -> int | None:
        return await self._next.offset(session)

    async def discard(self, progress: Progress) -> None:
        await self._next.discard(progress)

    async def reader(self, physical: str, size: int) -> BlobReader | None:
        return await self._next.reader(physical, size)

    async def stat(self, physical: str) -> BlobStat | None:
        return await self._next.stat(physical)

    async def verify(
        self, physical: str, algorithm: str, pace: Pace | None = None
    ) -> Digest | None:
        return await self._next.verify(physical, algorithm, pace)

    async def remove(self, names: Sequence[str]) -> Mapping[str, StorageFailed]:
        return await self._next.remove(names)

    async def link(self, physical: str, target: Path) -> bool:
        return await self._next.link(physical, target)

    async def aclose(self) -> None:
        await self._next.aclose()
        await self._next.aclose()
