"""Repair: fix findings without losing good bytes; each repair is in the audit."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from registry.integrity.findings import (
    AbsentEdge,
    CorruptBlob,
    CorruptManifest,
    DanglingRows,
    Finding,
    OrphanFile,
)
from registry.storage.blobs import names as blob_names
from registry.storage.blobs.filesystem import verify
from registry.storage.blobs.filesystem.file_ops import FileOps
from registry.storage.database.contract import Connection, Database
from registry.storage.metadata import audit
from registry.storage.metadata.integrity import checks, repairs
from registry.storage.own_thread import in_own_thread

RowTarget = CorruptBlob | CorruptManifest | AbsentEdge | DanglingRows


@dataclass(frozen=True, slots=True)
class Repair:
    """Repairs one finding at a time, and leaves alone those that it cannot repair safely.

    Files that no row names are removed.  Rows whose target is missing are deleted or marked absent,
    as if it had never been pushed.  Corrupt bytes are marked, and not served.  Pushing the content
    again restores both.
    """

    database: Database
    file_ops: FileOps
    root: int
    identity: str = "fsck"
    keep_orphans: bool = False
    """Remove no orphan, because there are more than a crash leaves."""

    async def repair(self, finding: Finding) -> Finding:
        """The finding, with the repair that was made, if any."""
        target, done = finding.target, ""
        if isinstance(target, OrphanFile):
            done = await self._remove(finding, target.path)
        elif target is not None:
            done = await self._repair_rows(finding, target)
        return dataclasses.replace(finding, repaired=done)

    async def _repair_rows(self, finding: Finding, target: RowTarget) -> str:
        def unit(connection: Connection) -> str:
            change = audit.Change.begin(connection, self.identity)
            done = repair_rows(connection, change, target)
            if done:
                detail = f"{finding.invariant}: {finding.found}"
                audit.append(
                    connection, change, f"{self.identity}.repair", "", finding.what, detail
                )
            return done

        return await self.database.write(unit, on=None)

    async def _remove(self, finding: Finding, path: str) -> str:
        """Remove a file that still has no row; names are never reused."""
        if self.keep_orphans:
            return ""
        directory, _, name = path.rpartition("/")
        if directory == blob_names.UPLOADS:
            unnamed = checks.files_without_session
        elif directory.startswith(f"{blob_names.BLOBS}/"):
            unnamed = checks.unreferenced_files
        else:
            return ""
        if not await in_own_thread(verify.is_file, self.root, path):
            return ""

        def unit(connection: Connection) -> bool:
            if not unnamed(connection, [name]):
                return False
            change = audit.Change.begin(connection, self.identity)
            audit.append(connection, change, f"{self.identity}.remove", "", path, finding.found)
            return True

        if not await self.database.write(unit, on=None):
            return ""
        try:
            await in_own_thread(self.file_ops.unlink, self.root, path)
        except OSError as error:
            return f"not removed: {error.strerror}"
        return "removed"


def repair_rows(connection: Connection, change: audit.Change, target: RowTarget) -> str:
    """Repair rows that have not changed since the finding; describes the repair, or is empty."""
    match target:
        case CorruptBlob():
            return repairs.mark_blob_corrupt(connection, target.physical)
        case CorruptManifest():
            return repairs.mark_manifest_corrupt(connection, change, target.row)
        case AbsentEdge():
            return repairs.link_edges(connection, target.digest)
        case DanglingRows():
            return repairs.delete_dangling_rows(connection, change)
