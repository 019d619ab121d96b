"""File removal: a file that cannot be removed stops nothing, and is tried again."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from registry.errors import StorageFailed
from registry.gc.report import GcReport
from registry.services.context import RegistryState

log = logging.getLogger(__name__)


async def remove_file(
    state: RegistryState, remove: Callable[[str], Awaitable[None]], name: str, report: GcReport
) -> bool:
    """Remove one file, by a step of the store; whether it is gone.

    One that the disk does not remove is told and counted; the next pass tries it again.  Raises
    StorageLatched where it is the disk itself that failed.
    """
    try:
        await remove(name)
    except StorageFailed as error:
        state.guard.check_writable()
        report.failed += 1
        log.warning("a file cannot be removed", extra={"file": name, "reason": error.reason})
        return False
    return True
