"""Retention: the cutoffs of this moment, at or before which leases and deletions have expired."""

from __future__ import annotations

from registry.services.context import RegistryState
from registry.storage.metadata import epochs
from registry.storage.retention import Cutoff


async def lease_cutoff(shared: RegistryState) -> Cutoff:
    """For memberships of blobs that no manifest names."""
    epoch = await shared.database.read_inline(epochs.current)
    return Cutoff.lease(shared.clock.wall_ms(), epoch, shared.retention)


async def untagged_cutoff(shared: RegistryState) -> Cutoff:
    """For manifests that nothing keeps."""
    epoch = await shared.database.read_inline(epochs.current)
    return Cutoff.untagged(shared.clock.wall_ms(), epoch, shared.retention)


async def trash_cutoff(shared: RegistryState) -> Cutoff:
    """For deletions: no longer to be undone."""
    epoch = await shared.database.read_inline(epochs.current)
    return Cutoff.trash(shared.clock.wall_ms(), epoch, shared.retention)
