"""Repair: the findings that can be mended without losing what is whole, each written down."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

from registry.services.findings import Finding
from registry.storage.blobs import paths, survey
from registry.storage.blobs.disk import Disk
from registry.storage.metadata import acts, integrity, repairs
from registry.storage.metadata.database import Connection, Database

Step = Callable[[Connection, acts.Act, str], str]
"""Mends what it is told of; says in a few words what it did, or nothing."""

STEPS: dict[tuple[str, str], Step] = {
    ("I1", "blob"): repairs.condemn_blob,
    ("I2", "blob"): repairs.condemn_blob,
    ("I3", "manifest"): repairs.condemn_manifest,
    ("I4", "database"): repairs.drop_dangling,
    ("I4", "edge"): repairs.heal_edges,
}


@dataclass(frozen=True, slots=True)
class Repair:
    """Mends one finding at a time.  What it cannot mend safely it leaves as it is.

    Bytes that no row names are removed; rows that lead nowhere are made absent, as if what they
    name had never been pushed; bytes that are wrong are marked, and never served.  The next
    push heals both.
    """

    database: Database
    disk: Disk
    root: int
    identity: str = "fsck"

    async def mend(self, finding: Finding) -> Finding:
        """The finding, with what was done about it."""
        if finding.invariant == "I9":
            done = await self._remove(finding)
        else:
            done = await self._mend_rows(finding)
        return dataclasses.replace(finding, repaired=done)

    async def _mend_rows(self, finding: Finding) -> str:
        kind, _, rest = finding.what.partition(" ")
        if finding.found.startswith("an edge says"):
            kind, rest = "edge", finding.what
        step = STEPS.get((finding.invariant, kind))
        if step is None:
            return ""

        def unit(connection: Connection) -> str:
            act = acts.begin(connection, self.identity)
            done = step(connection, act, rest)
            if done:
                detail = f"{finding.invariant}: {finding.found}"
                acts.record(connection, act, f"{self.identity}.repair", "", finding.what, detail)
            return done

        return await self.database.write(unit)

    async def _remove(self, finding: Finding) -> str:
        """Remove a file that still has no row: names are never used again."""
        directory, _, name = finding.what.rpartition("/")
        if directory == paths.UPLOADS:
            unnamed = integrity.sessions_unknown
        elif directory.startswith(f"{paths.BLOBS}/"):
            unnamed = integrity.unnamed
        else:
            return ""
        if not await asyncio.to_thread(survey.is_file, self.root, finding.what):
            return ""

        def unit(connection: Connection) -> bool:
            if not unnamed(connection, [name]):
                return False
            act = acts.begin(connection, self.identity)
            acts.record(connection, act, f"{self.identity}.remove", "", finding.what, finding.found)
            return True

        if not await self.database.write(unit):
            return ""
        await asyncio.to_thread(self.disk.unlink, self.root, finding.what)
        return "removed"
