"""Leases: keep content that was reported as present to a pusher, until a manifest names it.

A client asks with HEAD, skips what is there, and then pushes the manifest.  So a positive answer to
a caller who may push renews the lease, durably, before it is sent.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TypeVar

from oci.digest import Digest
from oci.reference import Tag
from registry.errors import RegistryReadOnly, StorageFailed, StorageFull
from registry.services.context import RepositoryContext
from registry.storage.database.contract import Connection
from registry.storage.database.point_read import PointRead
from registry.storage.metadata import blobs, manifests, repositories
from registry.storage.metadata.audit import Change
from registry.storage.metadata.manifests import ManifestHead
from registry.storage.retention import Leased

T = TypeVar("T")

Renew = Callable[[Connection, Change, int, T], None]


async def check_blob_and_renew(context: RepositoryContext, digest: Digest) -> int | None:
    """The blob's size, with at least half of its lease left; None if it is missing."""

    def renew(connection: Connection, change: Change, repository: int, _size: int) -> None:
        blobs.renew_lease(connection, change, repository, digest)

    return await check_and_renew(context, blobs.LEASED, digest, renew)


async def check_manifest_and_renew(
    context: RepositoryContext, reference: Tag | Digest
) -> ManifestHead | None:
    """The manifest without its bytes, with at least half of its lease left; None if missing."""

    def renew(connection: Connection, change: Change, repository: int, found: ManifestHead) -> None:
        manifests.renew_lease(connection, change, repository, found.digest)

    return await check_and_renew(context, manifests.LEASED.by(reference), reference, renew)


async def check_and_renew(
    context: RepositoryContext,
    read: PointRead[Leased[T]],
    reference: Tag | Digest,
    renew: Renew[T],
) -> T | None:
    """Find it, and renew its lease if less than half remains.

    Most lookups only read.  Writing on every HEAD would make popular base-layer rows
    a hot spot.  It asks again, because the collector may have come in between.
    """

    def is_fresh(found: Leased[T]) -> bool:
        return context.state.retention.is_fresh(
            found.lease, context.state.clock.wall_ms(), found.epoch
        )

    def unit(connection: Connection) -> T | None:
        found = read.first(connection, context.name, reference)
        repository = repositories.find(connection, context.name)
        if found is None or repository is None:
            return None
        if not is_fresh(found):
            renew(connection, context.begin_change(connection), repository, found.value)
        return found.value

    found = await context.database.look(read, context.name, reference)
    if found is None or is_fresh(found):
        return None if found is None else found.value
    # A registry that cannot write renews no lease, and accepts no push that would rely on one.
    with contextlib.suppress(StorageFull, StorageFailed, RegistryReadOnly):
        return await context.database.write(unit, on=context.name, purpose="lease")
    return found.value
