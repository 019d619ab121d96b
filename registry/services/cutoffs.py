"""Cutoffs: the newest lease, untagged manifest and deletion that are over now."""

from __future__ import annotations

from registry.services.context import RegistryState
from registry.storage.metadata import epochs
from registry.storage.retention import DAY_MS, Cutoff

__all__ = ["DAY_MS", "lease_cutoff", "present_epoch", "trash_cutoff", "untagged_cutoff"]


async def lease_cutoff(state: RegistryState) -> Cutoff:
    """For memberships of blobs that no manifest names."""
    epoch = await present_epoch(state)
    return Cutoff.lease(state.clock.wall_ms(), epoch, state.retention)


async def untagged_cutoff(state: RegistryState) -> Cutoff:
    """For manifests that nothing keeps."""
    epoch = await present_epoch(state)
    return Cutoff.untagged(state.clock.wall_ms(), epoch, state.retention)


async def trash_cutoff(state: RegistryState) -> Cutoff:
    """For deletions whose undelete window is over."""
    epoch = await present_epoch(state)
    return Cutoff.trash(state.clock.wall_ms(), epoch, state.retention)


async def present_epoch(state: RegistryState) -> int:
    """The number of the present epoch; 0 before the first."""
    return await state.database.look(epochs.CURRENT) or 0
