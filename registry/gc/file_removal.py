"""File removal: a failure is counted, and the next pass tries again."""

from __future__ import annotations

import logging
from collections.abc import Awaitable

from registry.errors import StorageFailed
from registry.gc.report import GcReport
from registry.services.context import RegistryState

log = logging.getLogger(__name__)


async def try_to_remove(
    state: RegistryState, removal: Awaitable[None], name: str, report: GcReport
) -> bool:
    """Remove one file with a method of the store; true if it is gone.

    A failure is logged and counted; the next pass tries again.  Raises RegistryReadOnly if the disk
    itself failed.
    """
    try:
        await removal
    except StorageFailed as error:
        state.guard.check_writable()
        report.failed += 1
        log.warning("a file cannot be removed", extra={"file": name, "reason": error.reason})
        return False
    return True
