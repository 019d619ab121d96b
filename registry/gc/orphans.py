"""Orphans: delete files that no row names, without regard to any clock.

A file's row is written before the file, and one transaction turns a session's row into a blob's.
So a file that was listed, and *after that* is named by no row, will never be named again.  In the
opposite order, the row of a file created in between would be missed.

A crash leaves a few orphans.  Many orphans mean that the database does not belong to these files:
an older one was put in its place, or a part of it is lost.  Then the files are all that is left of
acknowledged content, and they are kept unless an operator asks for their removal.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from functools import partial

from registry.errors import StorageUnreadable
from registry.gc.file_removal import remove_files
from registry.gc.report import GcReport
from registry.services.context import RegistryState
from registry.storage.blobs.contract import FILES_PER_REMOVAL, StoredFile
from registry.storage.blobs.file_count import FileCount
from registry.storage.metadata import physical_names

log = logging.getLogger(__name__)

# Kinds of files with names that the store gives.
OURS = ("upload", "blob")


async def sweep(state: RegistryState, report: GcReport, *, all_orphans: bool = False) -> None:
    """Remove orphans; none if they are too many, unless ``all_orphans``."""
    found = await count_files(state, report)
    if found.has_too_many_orphans and not all_orphans:
        report_kept_orphans(found, report)
        return
    if not found.orphans:
        return
    async for listed in list_files(state):
        await remove_orphans(state, await without_row(state, listed), report)


async def list_files(state: RegistryState) -> AsyncIterator[list[StoredFile]]:
    """Every file there is; where a directory cannot be listed, the others are."""
    for part in range(state.store.parts):
        try:
            async for listed in state.store.listing(part):
                yield listed
        except StorageUnreadable as error:
            log.error(
                "a directory of the store cannot be listed",
                extra={"directory": error.what, "reason": error.reason},
            )


async def count_files(state: RegistryState, report: GcReport) -> FileCount:
    """Count all files and orphans.  Unknown files are logged and ignored."""
    found = FileCount()
    async for listed in list_files(state):
        for unknown in (file for file in listed if file.kind not in OURS):
            report.unknown_files += 1
            log.warning("unknown file, ignored", extra={"path": unknown.path})
        orphans = await without_row(state, listed)
        found.files += sum(file.kind in OURS for file in listed)
        found.orphans += len(orphans)
        found.orphan_bytes += sum(orphan.size for orphan in orphans)
    return found


def report_kept_orphans(found: FileCount, report: GcReport) -> None:
    report.kept_orphans, report.kept_orphan_bytes = found.orphans, found.orphan_bytes
    log.error(
        "files that no row names are kept, because they are many: is this the database of these "
        "files?  `registry gc --all-orphans` removes them",
        extra={"orphans": found.orphans, "files": found.files},
    )


async def remove_orphans(
    state: RegistryState, orphans: Sequence[StoredFile], report: GcReport
) -> None:
    for start in range(0, len(orphans), FILES_PER_REMOVAL):
        batch = orphans[start : start + FILES_PER_REMOVAL]
        gone = await remove_files(state, [orphan.name for orphan in batch], report)
        report.orphans += len(gone)
        report.orphan_bytes += sum(orphan.size for orphan in batch if orphan.name in gone)


async def without_row(state: RegistryState, listed: list[StoredFile]) -> list[StoredFile]:
    """The listed files of the store that no row names now."""
    ours = [file for file in listed if file.kind in OURS]
    return await state.database.operator.read(partial(physical_names.without_row, listed=ours))
