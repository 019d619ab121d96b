"""The commands on integrity: fsck."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from registry.admin.command import Document
from registry.admin.opened import OpenRegistry
from registry.services.integrity import Integrity
from registry.services.repair import Repair
from registry.storage.blobs.disk import Disk


async def fsck(
    opened: OpenRegistry, *, deep: bool = False, repair: bool = False
) -> AsyncGenerator[Document, None]:
    """Every finding as it is found, then how much was looked at and how much of it is wrong."""
    database, root = opened.database, opened.root.directory
    integrity = Integrity(database, root, deep)
    mender = Repair(database, Disk(database.guard.alarm), root)
    wrong = leftovers = 0
    async for found in integrity.check():
        finding = await mender.mend(found) if repair else found
        wrong += not finding.leftover
        leftovers += finding.leftover
        yield {"finding": finding.to_json()}
    yield {"summary": {"wrong": wrong, "leftovers": leftovers, "looked_at": integrity.counts}}
