"""Leases: what a pusher was told is here stays, until they can have named it.

A client asks with HEAD, skips what is there, and then pushes the manifest.  So the answer to
someone who may push is a promise, and the promise is durable before the answer is given.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TypeVar

from oci.digest import Digest
from oci.reference import Tag
from registry.errors import RegistryReadOnly, StorageFailed, StorageFull
from registry.services.context import RepositoryContext
from registry.storage.database.sqlite import Connection
from registry.storage.metadata import blobs, epochs, manifests, repositories
from registry.storage.metadata.audit import Change
from registry.storage.retention import Lease

T = TypeVar("T")

Find = Callable[[Connection], tuple[T, Lease] | None]
Renew = Callable[[Connection, Change, int, T], None]


async def check_blob_and_renew(context: RepositoryContext, digest: Digest) -> int | None:
    """The blob's size, with at least half of a lease on it; None if it is not here."""
    return await check_and_renew(
        context,
        lambda connection: blobs.leased(connection, context.name, digest),
        lambda connection, change, repository, _: blobs.renew(
            connection, change, repository, digest
        ),
    )


async def check_manifest_and_renew(
    context: RepositoryContext, reference: Tag | Digest
) -> tuple[str, str, int] | None:
    """Digest, media type and size, with at least half of a lease; None if it is not here."""

    def renew(
        connection: Connection, change: Change, repository: int, found: tuple[str, str, int]
    ) -> None:
        manifests.renew(connection, change, repository, Digest.parse(found[0]))

    return await check_and_renew(
        context, lambda connection: manifests.leased(connection, context.name, reference), renew
    )


async def check_and_renew(context: RepositoryContext, find: Find[T], renew: Renew[T]) -> T | None:
    """Find it, and renew its lease if less than half remains.

    Hot path: most lookups only read.  Writing on every HEAD would make popular base-layer rows
    a hot spot.  It asks again, because the collector may have come in between.
    """

    def look(connection: Connection) -> tuple[T | None, bool]:
        found = find(connection)
        if found is None:
            return None, True
        epoch, now = epochs.current(connection), context.shared.clock.wall_ms()
        return found[0], context.shared.retention.is_fresh(found[1], now, epoch)

    def unit(connection: Connection) -> T | None:
        found, is_fresh = look(connection)
        repository = repositories.find(connection, context.name)
        if found is not None and repository is not None and not is_fresh:
            renew(connection, context.begin_change(connection), repository, found)
        return found

    found, is_fresh = await context.database.read_inline(look)
    if is_fresh:
        return found
    # A registry that cannot write promises nothing, and takes no push that would rely on it.
    with contextlib.suppress(StorageFull, StorageFailed, RegistryReadOnly):
        return await context.database.write(unit, purpose="lease")
    return found
