"""Retention: the cutoffs of this moment, at or before which leases and deletions have expired."""

from __future__ import annotations

from registry.services.context import RegistryState
from registry.storage.metadata import epochs
from registry.storage.retention import Cutoff


async def lease_cutoff(shared: RegistryState) -> Cutoff:
    """For memberships of blobs that no manifest names."""
    epoch = await present_epoch(shared)
    return Cutoff.lease(shared.clock.wall_ms(), epoch, shared.retention)


async def untagged_cutoff(shared: RegistryState) -> Cutoff:
    """For manifests that nothing keeps."""
    epoch = await present_epoch(shared)
    return Cutoff.untagged(shared.clock.wall_ms(), epoch, shared.retention)


async def trash_cutoff(shared: RegistryState) -> Cutoff:
    """For deletions: no longer to be undone."""
    epoch = await present_epoch(shared)
    return Cutoff.trash(shared.clock.wall_ms(), epoch, shared.retention)


async def present_epoch(shared: RegistryState) -> int:
    """The number of the present epoch; 0 before the first."""
    return await shared.database.look(epochs.CURRENT) or 0
