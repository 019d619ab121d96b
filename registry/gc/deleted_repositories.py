"""Deleted repositories: delete their rows in batches, once the undelete window is over."""

from __future__ import annotations

from registry.gc.report import GcReport
from registry.gc.throttle import LockThrottle
from registry.services.context import RegistryState
from registry.services.cutoffs import trash_cutoff
from registry.storage.database.contract import Connection
from registry.storage.metadata.audit import GARBAGE_COLLECTOR
from registry.storage.metadata.trash import repositories as deleted_repositories
from registry.storage.metadata.trash.put import Freed
from registry.storage.metadata.trash.repositories import DeletedRepository

ROWS_PER_BATCH = 20


async def delete_expired_rows(
    state: RegistryState, throttle: LockThrottle, report: GcReport
) -> None:
    """Delete the rows of repositories whose undelete window is over."""
    cutoff = await trash_cutoff(state)
    for deleted in await state.database.operator.read(
        lambda connection: deleted_repositories.find_expired(connection, cutoff)
    ):
        while (freed := await delete_some_rows(state, throttle, deleted)) is not None:
            report.members += freed.members
            report.blobs += freed.blobs
            report.blob_bytes += freed.bytes
        report.repositories += 1


async def delete_some_rows(
    state: RegistryState, throttle: LockThrottle, deleted: DeletedRepository
) -> Freed | None:
    def unit(connection: Connection) -> Freed | None:
        freed = deleted_repositories.delete_some_rows(connection, deleted, ROWS_PER_BATCH)
        if freed is None:
            change = state.begin_change(connection, GARBAGE_COLLECTOR)
            deleted_repositories.mark_cleared(connection, change, deleted)
        return freed

    return await throttle.run(unit)
