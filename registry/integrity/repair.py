"""Repair: fix findings without losing good bytes; each repair is in the audit."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import partial

from registry.integrity.findings import (
    AbsentEdge,
    CorruptBlob,
    CorruptManifest,
    DanglingRows,
    Finding,
    OrphanFile,
)
from registry.storage.blobs.contract import BlobStore, StoredFile
from registry.storage.clock import Clock
from registry.storage.database.contract import Connection, Database
from registry.storage.metadata import audit, physical_names
from registry.storage.metadata.integrity import repairs

RowTarget = CorruptBlob | CorruptManifest | AbsentEdge | DanglingRows


@dataclass(frozen=True, slots=True)
class Repair:
    """Repairs one finding at a time, and leaves alone those that it cannot repair safely.

    Files that no row names are removed.  Rows whose target is missing are deleted or marked absent,
    as if it had never been pushed.  Corrupt bytes are marked, and not served.  Pushing the content
    again restores both.
    """

    database: Database
    store: BlobStore
    clock: Clock
    identity: str = "fsck"
    keep_orphans: bool = False
    """Remove no orphan, because there are more than a crash leaves."""

    async def repair(self, finding: Finding) -> Finding:
        """The finding, with the repair that was made, if any."""
        target, done = finding.target, ""
        if isinstance(target, AbsentEdge):
            await self._link_edges(target.digest)
        if isinstance(target, OrphanFile):
            done = await self._remove(finding, target.file)
        elif target is not None:
            done = await self._repair_rows(finding, target)
        return dataclasses.replace(finding, repaired=done)

    async def _link_edges(self, digest: str) -> None:
        """Link all edges but a few, in short units; the last one has the audit."""
        unit = partial(repairs.link_edges, digest=digest)
        while await self.database.write(unit, on=None):
            pass

    async def _repair_rows(self, finding: Finding, target: RowTarget) -> str:
        def unit(connection: Connection) -> str:
            change = audit.Change.begin(connection, self.identity, self.clock)
            done = repair_rows(connection, change, target)
            if done:
                detail = f"{finding.invariant}: {finding.found}"
                audit.append(
                    connection, change, f"{self.identity}.repair", "", finding.what, detail
                )
            return done

        return await self.database.write(unit, on=None)

    async def _remove(self, finding: Finding, file: StoredFile) -> str:
        """Remove a file that still has no row; names are never reused."""
        if self.keep_orphans:
            return ""

        def unit(connection: Connection) -> bool:
            if not physical_names.without_row(connection, [file]):
                return False
            change = audit.Change.begin(connection, self.identity, self.clock)
            audit.append(
                connection, change, f"{self.identity}.remove", "", file.path, finding.found
            )
            return True

        if not await self.database.write(unit, on=None):
            return ""
        failed = (await self.store.remove([file.name])).get(file.name)
        return "removed" if failed is None else f"not removed: {failed.reason}"


def repair_rows(connection: Connection, change: audit.Change, target: RowTarget) -> str:
    """Repair rows that have not changed since the finding; describes the repair, or is empty."""
    match target:
        case CorruptBlob():
            return repairs.mark_blob_corrupt(connection, target.physical)
        case CorruptManifest():
            return repairs.mark_manifest_corrupt(connection, change, target.row)
        case AbsentEdge():
            repairs.link_edges(connection, target.digest)
            return "linked"
        case DanglingRows():
            return repairs.delete_dangling_rows(connection, change)
