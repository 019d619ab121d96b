"""Purge: files of the trash go when their time to come back is over."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from registry.gc.file_removal import remove_file
from registry.gc.report import GcReport
from registry.gc.throttle import LockThrottle
from registry.services.context import RegistryState
from registry.services.retention import trash_cutoff
from registry.storage.database.contract import Connection
from registry.storage.metadata.trash import rows as trash_rows
from registry.storage.metadata.trash.rows import TrashedFile
from registry.storage.retention import Cutoff

log = logging.getLogger(__name__)

# While these go, nothing can be undeleted, and no backup begin: few enough to wait for.
FILES_AT_ONCE = 100
ROWS_AT_ONCE = 50


async def purge(state: RegistryState, throttle: LockThrottle, report: GcReport) -> None:
    """Unlink what is due, and then forget it.

    The file goes before its row: in the other order a crash would leave a file that only a
    sweep finds.  While files go, nothing is undeleted and no backup begins.  A file that cannot
    be removed keeps its row, and the next pass tries it again.
    """
    cutoff = await trash_cutoff(state)
    last: TrashedFile | None = None
    while True:
        due, removed = await remove_due_files(state, cutoff, last, report)
        await throttle.run_batches([file.physical for file in removed], delete_rows)
        report.purged += len(removed)
        report.purged_bytes += sum(file.size for file in removed)
        if len(due) < FILES_AT_ONCE:
            break
        last = due[-1]
    while await state.database.operator.read(
        lambda connection: trash_rows.has_expired_rows(connection, cutoff)
    ):
        await throttle.run(
            lambda connection: trash_rows.delete_expired_rows(connection, cutoff, ROWS_AT_ONCE)
        )


async def remove_due_files(
    state: RegistryState, cutoff: Cutoff, last: TrashedFile | None, report: GcReport
) -> tuple[list[TrashedFile], list[TrashedFile]]:
    """Unlink some files that are due, after the last one: those that were, and that are gone.

    None while a backup needs them, or once there are none.
    """
    async with state.trash_lock:
        if state.backups.are_running:
            log.info("the trash is not purged while a backup runs")
            return [], []
        due = await state.database.operator.read(
            lambda connection: trash_rows.expired_files(connection, cutoff, FILES_AT_ONCE, last)
        )
        removed = [
            file
            for file in due
            if await remove_file(state, state.store.remove, file.physical, report)
        ]
        return due, removed


def delete_rows(physicals: Sequence[str], connection: Connection) -> None:
    trash_rows.delete_files(connection, physicals)
