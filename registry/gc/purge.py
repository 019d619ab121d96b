"""Purge: delete the files of the trash whose undelete window is over."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from registry.gc.file_removal import remove_files
from registry.gc.report import GcReport
from registry.gc.throttle import LockThrottle
from registry.services.context import RegistryState
from registry.services.cutoffs import trash_cutoff
from registry.storage.database.contract import Connection
from registry.storage.metadata.trash import rows as trash_rows
from registry.storage.metadata.trash.rows import TrashedFile
from registry.storage.retention import Cutoff

log = logging.getLogger(__name__)

# While a batch is removed no undelete or backup begins: few enough to wait for.
FILES_PER_BATCH = 100
ROWS_PER_BATCH = 50


async def purge(state: RegistryState, throttle: LockThrottle, report: GcReport) -> None:
    """Remove the expired files, then their rows.

    The file is removed before its row: in the other order a crash would leave an orphan.  While
    files are removed no undelete or backup begins.  A file that cannot be removed keeps its row,
    and the next pass tries again.
    """
    cutoff = await trash_cutoff(state)
    last: TrashedFile | None = None
    while True:
        due, removed = await remove_due_files(state, cutoff, last, report)
        await throttle.run_batches([file.physical for file in removed], delete_rows)
        report.purged += len(removed)
        report.purged_bytes += sum(file.size for file in removed)
        if len(due) < FILES_PER_BATCH:
            break
        last = due[-1]
    while await state.database.operator.read(
        lambda connection: trash_rows.has_expired_rows(connection, cutoff)
    ):
        await throttle.run(
            lambda connection: trash_rows.delete_expired_rows(connection, cutoff, ROWS_PER_BATCH)
        )


async def remove_due_files(
    state: RegistryState, cutoff: Cutoff, last: TrashedFile | None, report: GcReport
) -> tuple[list[TrashedFile], list[TrashedFile]]:
    """Remove some expired files after ``last``; returns the expired ones, and those removed.

    Both are empty while a backup runs, and at the end.
    """
    async with state.trash_lock:
        if state.backups.are_running:
            log.info("the trash is not purged while a backup runs")
            return [], []
        due = await state.database.operator.read(
            lambda connection: trash_rows.expired_files(connection, cutoff, FILES_PER_BATCH, last)
        )
        gone = await remove_files(state, [file.physical for file in due], report)
        return due, [file for file in due if file.physical in gone]


def delete_rows(physicals: Sequence[str], connection: Connection) -> None:
    trash_rows.delete_files(connection, physicals)
