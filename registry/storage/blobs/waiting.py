"""Shielded steps: run to the end although the client disconnects.

anyio's ``CancelScope(shield=True)`` protects from the cancellation of other anyio scopes only.  A
request's task is cancelled by asyncio itself, ``Task.cancel``, which such a scope lets through.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog

from oci.errors import OCIError

T = TypeVar("T")


log = structlog.get_logger()


async def run_shielded(work: Coroutine[Any, Any, T]) -> T:
    """Run to completion; a cancellation that arrives meanwhile is raised afterwards."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not task.cancelled():
            _report(task.exception())
        raise cancelled
    return task.result()


def _report(error: BaseException | None) -> None:
    """Log an unexpected error whose caller was cancelled; an OCIError is an ordinary refusal."""
    if error is not None and not isinstance(error, OCIError):
        log.error("a step failed after its caller was cancelled", exc_info=error)
