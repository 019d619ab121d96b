"""Blobs: check, pull, delete.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-blobs
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass

from oci.digest import Digest
from registry.errors import (
    BlobCorrupt,
    BlobInUse,
    BlobUnknown,
    BlobUnreadable,
    CommitUnknown,
    RegistryReadOnly,
    StorageFailed,
    StorageFull,
    StorageUnreadable,
)
from registry.services.context import RepositoryContext
from registry.services.leases import check_blob_and_renew
from registry.storage.blobs.store import BlobReader
from registry.storage.database.contract import Connection
from registry.storage.metadata import audit, blobs, edges, repositories
from registry.storage.metadata.blobs import StoredBlob

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Blobs:
    """The blobs of one repository: those that are its members, whoever else has them."""

    _context: RepositoryContext

    async def stat(self, digest: Digest) -> int:
        """The blob's size in bytes, or what ``open`` raises.  To a pusher this is a promise.

        A row without its file is no blob: who is told that it is here does not push it, and so
        does not heal it.
        """
        if self._context.may_push:
            await check_blob_and_renew(self._context, digest)
        reader = await self.open(digest)
        await reader.aclose()
        return reader.size

    async def open(self, digest: Digest) -> BlobReader:
        """Hold the blob open for reading, or raise BlobUnknown, BlobDamaged or BlobUnreadable."""
        while (stored := await self._member(digest)) is not None:
            with translate_read_errors(digest):
                reader = await self._context.store.open(stored.physical)
            if reader is not None and reader.size == stored.size:
                return reader
            if reader is not None:
                await reader.aclose()
            # If the row has other bytes by now, a push has healed it meanwhile.
            if await self._mark_corrupt(digest, stored):
                raise BlobCorrupt(digest)
        raise await self._unknown_or_corrupt(digest)

    async def delete(self, digest: Digest) -> None:
        """End the blob's membership in this repository.

        Raises BlobUnknown, or BlobInUse while a manifest of this repository names the blob:
        without it that manifest could not be pulled.
        """
        context = self._context

        def unit(connection: Connection) -> None:
            repository = repositories.find(connection, context.name)
            if repository is None or blobs.find_member(connection, context.name, digest) is None:
                raise BlobUnknown(digest)
            parent = edges.parent_of_blob(connection, repository, digest)
            if parent is not None:
                raise BlobInUse(digest, parent)
            change = context.begin_change(connection)
            blobs.remove_member(connection, change, repository, digest)
            audit.append(connection, change, "blob.delete", str(context.name), str(digest))

        await context.database.write(unit, on=context.name)

    async def _member(self, digest: Digest) -> StoredBlob | None:
        return await self._context.database.look(blobs.MEMBER, self._context.name, digest)

    async def _unknown_or_corrupt(self, digest: Digest) -> BlobUnknown:
        """Why there is nothing to pull: only asked once a pull has failed."""
        is_corrupt = await self._context.database.look(blobs.IS_CORRUPT, self._context.name, digest)
        return BlobCorrupt(digest) if is_corrupt else BlobUnknown(digest)

    async def _mark_corrupt(self, digest: Digest, stored: StoredBlob) -> bool:
        """The row says what the disk does not have: absent from now on, until pushed again.

        False if the row does not name these bytes any more.
        """
        log.error(
            "blob lost or cut short",
            extra={"digest": str(digest), "physical": stored.physical, "size": stored.size},
        )
        try:
            return await self._context.database.write(
                lambda connection: blobs.mark_corrupt(connection, stored.physical), on=None
            )
        except (StorageFull, StorageFailed, RegistryReadOnly, CommitUnknown):
            # Nothing can be marked now; what is not here is not here all the same.
            return True


@contextlib.contextmanager
def translate_read_errors(digest: Digest) -> Iterator[None]:
    """Say of a disk that fails under a read whose bytes it does not give."""
    try:
        yield
    except StorageUnreadable as error:
        raise BlobUnreadable(digest, error.reason) from error


async def probe(blob: BlobReader, start: int) -> None:
    """Read one byte ahead of a response; StorageUnreadable if the disk does not give it."""
    async for _ in blob.chunks(start, start + 1):
        pass
