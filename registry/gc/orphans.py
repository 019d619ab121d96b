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

from registry.gc.file_removal import remove_file
from registry.gc.report import GcReport
from registry.services.context import RegistryState
from registry.storage.blobs.file_count import FileCount
from registry.storage.blobs.names import session_of
from registry.storage.blobs.store import StoredFile
from registry.storage.database.contract import Connection
from registry.storage.metadata import physical_names

log = logging.getLogger(__name__)


async def sweep(state: RegistryState, report: GcReport, *, all_orphans: bool = False) -> None:
    """Remove orphans; none if they are too many, unless ``all_orphans``."""
    found = await count_files(state, report)
    if found.has_too_many_orphans and not all_orphans:
        report_kept_orphans(found, report)
        return
    if not found.orphans:
        return
    async for listed in state.store.listings():
        for orphan in await without_row(state, listed):
            await remove_orphan(state, orphan, report)


async def count_files(state: RegistryState, report: GcReport) -> FileCount:
    """Count all files and orphans.  Unknown files are logged and ignored."""
    found = FileCount()
    async for listed in state.store.listings():
        for unknown in (file for file in listed if file.kind == "unknown"):
            report.unknown_files += 1
            log.warning("unknown file, ignored", extra={"path": unknown.name})
        orphans = await without_row(state, listed)
        found.files += sum(file.kind != "unknown" for file in listed)
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


async def remove_orphan(state: RegistryState, orphan: StoredFile, report: GcReport) -> None:
    remove = state.store.discard if orphan.kind == "upload" else state.store.remove
    if await remove_file(state, remove, orphan.name, report):
        report.orphans += 1
        report.orphan_bytes += orphan.size


async def without_row(state: RegistryState, listed: list[StoredFile]) -> list[StoredFile]:
    """The listed files of the store that no row names now."""
    ours = [file for file in listed if file.kind != "unknown"]
    if not ours:
        return []
    blobs = [file.name for file in ours if file.kind == "blob"]
    sessions = [session_of(name) for name in blobs]
    sessions += [file.name for file in ours if file.kind == "upload"]

    def unit(connection: Connection) -> physical_names.ReferencedNames:
        return physical_names.referenced_names(connection, blobs, sessions)

    named = await state.database.operator.read(unit)
    return [
        file
        for file in ours
        if file.name not in named.physicals
        and (session_of(file.name) if file.kind == "blob" else file.name) not in named.sessions
    ]
