"""File removal: a failure is counted, and the next pass tries again."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Collection, Sequence

from registry.errors import StorageFailed
from registry.gc.report import GcReport
from registry.services.context import RegistryState

log = logging.getLogger(__name__)


async def try_to_remove(
    state: RegistryState, removal: Awaitable[None], name: str, report: GcReport
) -> bool:
    """Remove one session's bytes with a method of the store; true if they are gone.

    A failure is logged and counted.  Raises RegistryReadOnly if the disk itself failed.
    """
    try:
        await removal
    except StorageFailed as error:
        state.guard.check_writable()
        tell_failure(name, error, report)
        return False
    return True


async def remove_files(
    state: RegistryState, names: Sequence[str], report: GcReport
) -> Collection[str]:
    """Remove files of the store in one batch; returns the names of those that are gone.

    Failures are logged and counted.  Raises RegistryReadOnly if the disk itself failed.
    """
    failed = await state.store.remove(names) if names else {}
    for name, error in failed.items():
        tell_failure(name, error, report)
    return set(names) - failed.keys()


def tell_failure(name: str, error: StorageFailed, report: GcReport) -> None:
    report.failed += 1
    log.warning("a file cannot be removed", extra={"file": name, "reason": error.reason})
