"""Blob commit: one transaction that makes durable bytes a blob of a repository."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from oci.digest import Digest
from oci.errors import OCIError
from registry.errors import BlobUploadUnknown, CommitUnknown, StorageFailed, StorageUnreadable
from registry.services.context import RepositoryContext
from registry.services.edge_links import link_rest
from registry.storage.database.contract import Connection
from registry.storage.metadata import audit, blobs, repositories, uploads
from registry.storage.metadata.blobs import StoredBlob

# How long a verification counts: scrubs are rare, pushes of the same bytes frequent.
VERIFICATION_MS = 24 * 60 * 60 * 1000
# A change this soon after a verification cannot be told from one before it.
CHANGE_MS = 2000


async def commit_blob(
    context: RepositoryContext, session: str, digest: Digest, new: StoredBlob
) -> None:
    """Delete the session's row, and add blob, membership, lease and audit, atomically.

    ``new`` is durable already.  If the digest has good bytes already, they are kept and the new
    ones deleted; if they are missing, truncated or corrupt, the new ones replace them.
    Raises BlobUploadUnknown if the session ended meanwhile.
    """
    present = await check_existing_bytes(context, digest)

    def unit(connection: Connection) -> tuple[bool, bool]:
        if not uploads.end(connection, context.name, session):
            raise BlobUploadUnknown(session)
        change = context.begin_change(connection)
        repository = repositories.ensure(connection, change, context.name)
        taken = blobs.add(connection, change, digest, new, corrupt=present.corrupt)
        if present.verified is not None:
            blobs.mark_verified(connection, [present.verified], change.at)
        has_more = blobs.add_member(connection, change, repository, digest, session)
        audit.append(connection, change, "blob.push", str(context.name), str(digest))
        return taken, has_more

    try:
        taken, has_more = await context.database.write(unit, on=context.name)
    except (StorageFailed, CommitUnknown):
        # The commit may have happened, or the next start may apply it from the write-ahead log: the
        # file must exist then.  Otherwise the file is swept as an orphan.
        raise
    except Exception:
        await delete_uncommitted(context, digest, new)
        raise
    if not taken:
        await delete_file(context, new)
    if has_more:
        await link_rest(context.database, context.name, digest)


@dataclass(frozen=True, slots=True)
class ExistingBytes:
    """Physical names of the digest's existing bytes: found corrupt, or newly verified."""

    corrupt: str | None = None
    verified: str | None = None


async def check_existing_bytes(context: RepositoryContext, digest: Digest) -> ExistingBytes:
    """Find whether the digest's existing bytes can be kept.

    They are read and hashed, unless that was less than VERIFICATION_MS ago and the file has not
    been written since: most repeated pushes are of the same few base layers.  Reading 1 GiB was
    measured at about one second of CPU on a busy machine of two cores.
    """
    old = await context.database.look(blobs.VERIFICATION, digest)
    if old is None:
        return ExistingBytes()
    store, physical = context.store, old.blob.physical
    try:
        found = await store.stat(physical)
        if found is None or found.size != old.blob.size:
            return ExistingBytes(corrupt=physical)
        if is_recently_verified(old.verified_at, found.changed_at, context.state.clock.wall_ms()):
            return ExistingBytes()
        actual = await store.verify(physical, digest.algorithm)
    except StorageUnreadable:
        return ExistingBytes(corrupt=physical)
    return ExistingBytes(verified=physical) if actual == digest else ExistingBytes(corrupt=physical)


def is_recently_verified(verified_at: int | None, changed_at: int, now: int) -> bool:
    """Whether the bytes need not be read again; all times in milliseconds of wall time."""
    if verified_at is None:
        return False
    return now - VERIFICATION_MS < verified_at <= now and changed_at + CHANGE_MS < verified_at


async def delete_uncommitted(context: RepositoryContext, digest: Digest, new: StoredBlob) -> None:
    """After a failure, delete the new bytes, unless a row names them."""
    now = await context.database.look(blobs.BY_DIGEST, digest)
    if now is None or now.physical != new.physical:
        await delete_file(context, new)


async def delete_file(context: RepositoryContext, new: StoredBlob) -> None:
    """Delete new bytes, as far as possible: remaining ones are swept as orphans."""
    with contextlib.suppress(OCIError):
        await context.store.remove([new.physical])
