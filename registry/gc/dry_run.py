"""Preview: what a pass of the collector would do now, to the byte, without doing it.

The same queries and the same bounds as the pass; what the pass does by changing rows that its
next step reads, is here kept in sets, and the epoch that it would begin is one number.  Nothing
is written: it may be asked of a registry that is read-only.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from registry.gc.collector import find_candidates
from registry.gc.expired_uploads import over
from registry.gc.orphans import orphans
from registry.gc.report import Tally
from registry.services.context import Shared
from registry.services.retention import lease_cutoff, trash_cutoff, untagged_cutoff
from registry.storage.database.sqlite import Connection
from registry.storage.metadata import epochs
from registry.storage.metadata.gc import candidates
from registry.storage.metadata.gc import dry_run as dry_run_queries
from registry.storage.metadata.keys import Key
from registry.storage.metadata.trash import repositories as deleted_repositories
from registry.storage.metadata.trash import rows as trash_rows
from registry.storage.retention import Cutoff


async def preview(shared: Shared) -> Tally:
    """What ``collect`` would say, if nothing changed until then."""
    tally = Tally()
    ahead = await epochs_ahead(shared)
    for upload in await over(shared, ahead=ahead):
        if not shared.locks.is_held(upload.id):
            tally.uploads += 1
            tally.upload_bytes += await shared.store.offset(upload.id) or 0
    going = await doomed_manifests(shared, later(await untagged_cutoff(shared), ahead))
    tally.manifests = len(going)
    cutoff = later(await trash_cutoff(shared), ahead)
    ended = await ended_members(shared, later(await lease_cutoff(shared), ahead), going)
    cleared = await cleared_members(shared, cutoff, tally) - ended
    await count_blobs(shared, tally, ended, cleared)
    files, size = await shared.database.operator.read(partial(trash_rows.due_bytes, cutoff))
    tally.purged += files
    tally.purged_bytes += size
    async for orphan in orphans(shared, tally):
        tally.orphans += 1
        tally.orphan_bytes += orphan.size
    return tally


async def epochs_ahead(shared: Shared) -> int:
    """How many epochs the pass would begin: one, or none.

    Before this boot's first epoch the process counts from its own start, which is now if the
    registry is stopped; in a server the chore that counts is at most its own delay away.
    """

    def unit(connection: Connection) -> int:
        clock, begun = shared.clock, shared.clock.monotonic_ms()
        return int(epochs.is_due(connection, clock, shared.retention.epoch_ms, begun=begun))

    return await shared.database.operator.read(unit)


def later(cutoff: Cutoff, ahead: int) -> Cutoff:
    """The cutoff so many epochs ahead: each counts back from the present."""
    return replace(cutoff, epoch=cutoff.epoch + ahead)


async def doomed_manifests(shared: Shared, cutoff: Cutoff) -> set[Key]:
    if shared.retention.untagged_ms == 0:
        return set()
    return {
        key
        async for found in find_candidates(shared, candidates.untagged_manifests, cutoff)
        for key in found
    }


async def ended_members(shared: Shared, cutoff: Cutoff, going: set[Key]) -> set[Key]:
    """Memberships that nothing needs, or that only manifests need which are going."""
    ended = {
        key
        async for found in find_candidates(shared, candidates.unused_members, cutoff)
        for key in found
    }
    for manifest in going:
        named = await shared.database.operator.read(
            partial(dry_run_queries.named_only_by, going, manifest, cutoff)
        )
        ended.update(named)
    return ended


async def cleared_members(shared: Shared, cutoff: Cutoff, tally: Tally) -> set[Key]:
    """Memberships of deleted repositories whose time is over."""

    def unit(connection: Connection) -> list[list[Key]]:
        due = deleted_repositories.due(connection, cutoff)
        return [deleted_repositories.members(connection, deleted) for deleted in due]

    found = await shared.database.operator.read(unit)
    tally.repositories = len(found)
    return {key for members in found for key in members}


async def count_blobs(shared: Shared, tally: Tally, ended: set[Key], cleared: set[Key]) -> None:
    """Blobs that would lose their last membership; those that would not wait in the trash."""
    tally.members = len(ended) + len(cleared)
    at_once = shared.retention.undelete_ms == 0
    last = {digest for _, digest in cleared}
    for blob in await shared.database.operator.read(
        partial(dry_run_queries.blobs_of_only, ended | cleared)
    ):
        tally.blobs += 1
        tally.blob_bytes += blob.size
        # A blob goes when its last membership does: those of deleted repositories come last.
        if at_once or blob.digest in last:
            tally.purged += 1
            tally.purged_bytes += blob.size
