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
from registry.storage.blobs.contract import BlobReader
from registry.storage.database.contract import Connection
from registry.storage.metadata import audit, blobs, edges, repositories
from registry.storage.metadata.blobs import StoredBlob

__all__ = ["BlobReader", "Blobs", "probe", "translate_read_errors"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Blobs:
    """The blobs of one repository: its members only (rule AZ-4)."""

    _context: RepositoryContext

    async def stat(self, digest: Digest) -> int:
        """The blob's size in bytes; raises as ``open``.  Renews the lease for a pusher.

        The file is opened too: a client that is told a lost blob exists would not push it again.
        """
        if self._context.may_push:
            await check_blob_and_renew(self._context, digest)
        reader = await self.open(digest)
        await reader.aclose()
        return reader.size

    async def open(self, digest: Digest) -> BlobReader:
        """Open the blob for reading; raises BlobUnknown, BlobCorrupt or BlobUnreadable."""
        while (stored := await self._member(digest)) is not None:
            with translate_read_errors(digest):
                reader = await self._context.store.reader(stored.physical, stored.size)
            if reader is not None:
                return reader
            # If the row names other bytes now, a push has replaced them: try again.
            if await self._mark_corrupt(digest, stored):
                raise BlobCorrupt(digest)
        raise await self._unknown_or_corrupt(digest)

    async def delete(self, digest: Digest) -> None:
        """Delete the blob's membership in this repository.

        Raises BlobUnknown, or BlobInUse while a manifest of this repository names the blob, which
        could not be pulled without it.
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
        """The error for a failed pull."""
        is_corrupt = await self._context.database.look(blobs.IS_CORRUPT, self._context.name, digest)
        return BlobCorrupt(digest) if is_corrupt else BlobUnknown(digest)

    async def _mark_corrupt(self, digest: Digest, stored: StoredBlob) -> bool:
        """Mark a blob whose file is missing or truncated as corrupt, until it is pushed again.

        False if the row names other bytes now.
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
            # The mark cannot be written now; the blob is reported as corrupt all the same.
            return True


@contextlib.contextmanager
def translate_read_errors(digest: Digest) -> Iterator[None]:
    """Translate StorageUnreadable to BlobUnreadable, which names the blob."""
    try:
        yield
    except StorageUnreadable as error:
        raise BlobUnreadable(digest, error.reason) from error


async def probe(blob: BlobReader, start: int) -> None:
    """Read one byte before the response begins; raises StorageUnreadable."""
    async for _ in blob.chunks(start, start + 1):
        pass
