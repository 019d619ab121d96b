"""Waiting to the end: for steps that must not stop half-way because a client went away."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog

from oci.errors import OCIError

T = TypeVar("T")


log = structlog.get_logger()


async def run_shielded(work: Coroutine[Any, Any, T]) -> T:
    """Run it whole; being cancelled meanwhile is told afterwards."""
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
    """Log a bug whose caller has gone; refusals are logged where the disk is at fault."""
    if error is not None and not isinstance(error, OCIError):
        log.error("a step failed that nobody waited for any more", exc_info=error)
