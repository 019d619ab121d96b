"""Retention: the cutoffs of this moment, at or before which leases and deletions have expired."""

from __future__ import annotations

from registry.services.context import Shared
from registry.storage.metadata import epochs
from registry.storage.retention import Bound


async def lease_bound(shared: Shared) -> Bound:
    """For memberships of blobs that no manifest names."""
    epoch = await shared.database.look(epochs.current)
    return Bound.lease(shared.clock.wall_ms(), epoch, shared.lifetimes)


async def untagged_bound(shared: Shared) -> Bound:
    """For manifests that nothing keeps."""
    epoch = await shared.database.look(epochs.current)
    return Bound.untagged(shared.clock.wall_ms(), epoch, shared.lifetimes)


async def trash_bound(shared: Shared) -> Bound:
    """For deletions: no longer to be undone."""
    epoch = await shared.database.look(epochs.current)
    return Bound.trash(shared.clock.wall_ms(), epoch, shared.lifetimes)
