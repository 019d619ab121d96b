"""fsck for tests: the findings of an open registry."""

from registry.integrity.checks import Integrity
from registry.integrity.findings import Finding
from registry.integrity.repair import Repair
from tests.support.registry.storage import Service


async def findings(service: Service, *, deep: bool = False, repair: bool = False) -> list[Finding]:
    """Every finding of a check, harmless ones included."""
    integrity = Integrity(service.database.operator, service.store, deep)
    found = [finding async for finding in integrity.check()]
    if repair:
        repairer = Repair(service.database, service.store, service.state.clock)
        found = [await repairer.repair(finding) for finding in found]
    return found


async def wrongs(service: Service) -> list[Finding]:
    """Findings that a crash may not leave behind either."""
    return [finding for finding in await findings(service, deep=True) if not finding.harmless]
