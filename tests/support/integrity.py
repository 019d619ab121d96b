"""fsck for tests: what is wrong with an open registry."""

import os

from registry.integrity.checks import Integrity
from registry.integrity.findings import Finding
from registry.integrity.repair import Repair
from registry.storage.blobs.filesystem.file_ops import FileOps
from tests.support.storage import Service


async def findings(service: Service, *, deep: bool = False, repair: bool = False) -> list[Finding]:
    """Everything that a check finds, leftovers too."""
    root = os.open(service.root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        integrity = Integrity(service.database, root, deep)
        found = [finding async for finding in integrity.check()]
        if repair:
            repairer = Repair(service.database, FileOps(), root)
            found = [await repairer.repair(finding) for finding in found]
    finally:
        os.close(root)
    return found


async def wrongs(service: Service) -> list[Finding]:
    """What a crash may not leave behind either."""
    return [finding for finding in await findings(service, deep=True) if not finding.harmless]
