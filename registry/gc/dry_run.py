"""Dry run: the exact counts of a pass, without changing anything.

It uses the same queries and cutoffs as a pass.  Sets stand for the rows that a pass would change
before its next step reads them, and a number for the epoch that it would begin.  Nothing is
written, so it also works on a read-only registry.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from registry.gc.collector import find_candidates
from registry.gc.epochs import epochs_ahead
from registry.gc.expired_uploads import find_expired
from registry.gc.orphans import count_files, report_kept_orphans
from registry.gc.report import GcReport
from registry.services.context import RegistryState
from registry.services.cutoffs import lease_cutoff, trash_cutoff, untagged_cutoff
from registry.storage.database.contract import Connection
from registry.storage.metadata.gc import candidates
from registry.storage.metadata.gc import dry_run as dry_run_queries
from registry.storage.metadata.keys import Key
from registry.storage.metadata.trash import repositories as deleted_repositories
from registry.storage.metadata.trash import rows as trash_rows
from registry.storage.retention import Cutoff


async def dry_run(state: RegistryState, *, all_orphans: bool = False) -> GcReport:
    """The report that ``collect`` would give if nothing changed until then."""
    report = GcReport()
    ahead = await epochs_ahead(state)
    for upload in await find_expired(state, ahead=ahead):
        if not state.sessions.is_held(upload.id):
            report.uploads += 1
            report.upload_bytes += await state.received(upload.id) or 0
    going = await unreferenced_manifests(state, advanced(await untagged_cutoff(state), ahead))
    report.manifests = len(going)
    cutoff = advanced(await trash_cutoff(state), ahead)
    ended = await ended_members(state, advanced(await lease_cutoff(state), ahead), going)
    cleared = await cleared_members(state, cutoff, report) - ended
    await count_blobs(state, report, ended, cleared)
    files, size = await state.database.operator.read(partial(trash_rows.expired_bytes, cutoff))
    report.purged += files
    report.purged_bytes += size
    found = await count_files(state, report)
    if found.has_too_many_orphans and not all_orphans:
        report_kept_orphans(found, report)
    else:
        report.orphans, report.orphan_bytes = found.orphans, found.orphan_bytes
    return report


def advanced(cutoff: Cutoff, ahead: int) -> Cutoff:
    """The cutoff after ``ahead`` more epochs."""
    return replace(cutoff, epoch=cutoff.epoch + ahead)


async def unreferenced_manifests(state: RegistryState, cutoff: Cutoff) -> set[Key]:
    if state.retention.untagged_ms == 0:
        return set()
    return {
        key
        async for found in find_candidates(state, candidates.untagged_manifests, cutoff)
        for key in found
    }


async def ended_members(state: RegistryState, cutoff: Cutoff, going: set[Key]) -> set[Key]:
    """Memberships that are unused, or used only by manifests this pass would delete."""
    ended = {
        key
        async for found in find_candidates(state, candidates.unused_members, cutoff)
        for key in found
    }
    for manifest in going:
        named = await state.database.operator.read(
            partial(dry_run_queries.only_referenced_by, going, manifest, cutoff)
        )
        ended.update(named)
    return ended


async def cleared_members(state: RegistryState, cutoff: Cutoff, report: GcReport) -> set[Key]:
    """Memberships of deleted repositories whose undelete window is over."""

    def unit(connection: Connection) -> list[list[Key]]:
        due = deleted_repositories.find_expired(connection, cutoff)
        return [deleted_repositories.members(connection, deleted) for deleted in due]

    found = await state.database.operator.read(unit)
    report.repositories = len(found)
    return {key for members in found for key in members}


async def count_blobs(
    state: RegistryState, report: GcReport, ended: set[Key], cleared: set[Key]
) -> None:
    """Count blobs that would lose their last membership, and those that would be purged at once."""
    report.members = len(ended) + len(cleared)
    at_once = state.retention.undelete_ms == 0
    last = {digest for _, digest in cleared}
    for blob in await state.database.operator.read(
        partial(dry_run_queries.only_members_of, ended | cleared)
    ):
        report.blobs += 1
        report.blob_bytes += blob.size
        # A blob goes with its last membership; those of deleted repositories are deleted last.
        if at_once or blob.digest in last:
            report.purged += 1
            report.purged_bytes += blob.size
