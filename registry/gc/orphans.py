"""Orphans: files that no row names are deleted.  No clock has a say in it.

A file's row comes before the file, and one transaction turns a session's row into a blob's.
So a name that was on the disk, and *after that* is in no row, never will be in one again.
Asked the other way round, the row of a file that came in between would be missed.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

from registry.gc.report import GcReport
from registry.services.context import RegistryState
from registry.storage.blobs.names import session_of
from registry.storage.blobs.store import StoredFile
from registry.storage.database.sqlite import Connection
from registry.storage.metadata import physical_names

log = logging.getLogger(__name__)


async def sweep(shared: RegistryState, report: GcReport) -> None:
    """Remove the files that no row names."""
    async for orphan in find_orphans(shared, report):
        if orphan.kind == "upload":
            await shared.store.discard(orphan.name)
        else:
            await shared.store.remove(orphan.name)
        report.orphans += 1
        report.orphan_bytes += orphan.size


async def find_orphans(shared: RegistryState, report: GcReport) -> AsyncIterator[StoredFile]:
    """The files that no row names.  What this store never made is left alone, and told."""
    async for listed in shared.store.listings():
        ours = [file for file in listed if file.kind != "unknown"]
        for unknown in (file for file in listed if file.kind == "unknown"):
            report.unknown_files += 1
            log.warning("unknown file, ignored", extra={"path": unknown.name})
        for orphan in await without_row(shared, ours):
            yield orphan


async def without_row(shared: RegistryState, listed: list[StoredFile]) -> list[StoredFile]:
    """Of files that were listed before, those that no row names now."""
    if not listed:
        return []
    blobs = [file.name for file in listed if file.kind == "blob"]
    sessions = [session_of(name) for name in blobs]
    sessions += [file.name for file in listed if file.kind == "upload"]

    def unit(connection: Connection) -> physical_names.ReferencedNames:
        return physical_names.referenced_names(connection, blobs, sessions)

    named = await shared.database.operator.read(unit)
    return [
        file
        for file in listed
        if file.name not in named.physicals
        and (session_of(file.name) if file.kind == "blob" else file.name) not in named.sessions
    ]
