"""Commit: the one transaction in which durable bytes become a blob of a repository."""

from __future__ import annotations

import contextlib

from oci.digest import Digest
from oci.errors import OCIError
from registry.errors import BlobUploadUnknown, StorageFailed
from registry.services.context import Context
from registry.storage.metadata import acts, blobs, repositories, uploads
from registry.storage.metadata.blobs import StoredBlob
from registry.storage.metadata.database import Connection


async def publish(context: Context, session: str, digest: Digest, new: StoredBlob) -> None:
    """Take the session's row, and add blob, membership, lease and audit, all or nothing.

    ``new`` is durable already.  If the digest's bytes are here and whole, those are kept and
    the new ones dropped; if they are missing, cut short or corrupt, the new ones replace them.
    Raises BlobUploadUnknown if the session ended meanwhile.
    """
    doubted = await find_doubted(context, digest)

    def unit(connection: Connection) -> bool:
        if not uploads.take(connection, context.name, session):
            raise BlobUploadUnknown(session)
        act = context.begin(connection)
        repository = repositories.ensure(connection, act, context.name)
        taken = blobs.add(connection, act, digest, new, doubted=doubted)
        blobs.join(connection, act, repository, digest, session)
        acts.record(connection, act, "blob.push", str(context.name), str(digest))
        return taken

    try:
        taken = await context.database.write(unit)
    except StorageFailed:
        # The log may still hold the commit that failed, and the next start may bring it back:
        # it must find the file.  If it does not come back, the file is swept.
        raise
    except Exception:
        await drop_unnamed(context, digest, new)
        raise
    if not taken:
        await drop(context, new)


async def find_doubted(context: Context, digest: Digest) -> str | None:
    """The digest's physical name, if the bytes there are missing or cut short."""
    old = await context.database.look(lambda connection: blobs.find(connection, digest))
    if old is None or await context.store.stat(old.physical) == old.size:
        return None
    return old.physical


async def drop_unnamed(context: Context, digest: Digest, new: StoredBlob) -> None:
    """After a failure: drop the new bytes, unless it was only the answer that failed."""
    now = await context.database.look(lambda connection: blobs.find(connection, digest))
    if now is None or now.physical != new.physical:
        await drop(context, new)


async def drop(context: Context, new: StoredBlob) -> None:
    """Best effort: bytes that no row names are swept sooner or later."""
    with contextlib.suppress(OCIError):
        await context.store.remove(new.physical)
