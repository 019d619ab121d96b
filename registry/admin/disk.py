"""Disk: the job that measures free space, the check after a crash, and unlatch."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from functools import partial

import structlog

from registry.admin.command import OPERATOR, Document
from registry.admin.open_registry import OpenRegistry
from registry.background import BackgroundTasks
from registry.errors import CommandRefused
from registry.integrity import after_crash
from registry.jobs.scheduler import Job
from registry.services.operator.read_only import allow_writes

WATCH_SECONDS = 1.0

log = structlog.get_logger()


def jobs(opened: OpenRegistry) -> Sequence[Job]:
    """Watching the free space, and that the directories are there."""

    async def watch() -> None:
        await asyncio.to_thread(opened.state.guard.refresh)

    return (Job("disk", WATCH_SECONDS, watch),)


@contextlib.asynccontextmanager
async def check_after_crash(
    opened: OpenRegistry, background: BackgroundTasks
) -> AsyncIterator[None]:
    """After a crash, check the database in the background: it may be large.

    A read-only registry logs its reason again at each start: the original line may be gone.
    """
    reason = opened.state.guard.read_only_reason
    if reason is not None:
        log.critical("read-only: check the disk, then run `registry unlatch`", reason=reason)
    if not opened.root.was_unclean:
        yield
        return
    check = partial(check_database, opened)
    async with background.running("check after a crash", check, ends=True):
        yield


async def check_database(opened: OpenRegistry) -> None:
    """Trip the latch if SQLite finds the database corrupt."""
    started = time.monotonic()
    wrong = await after_crash.check_database(opened.state)
    seconds = round(time.monotonic() - started, 3)
    log.info("checked the database after a crash", wrong=wrong[:10], seconds=seconds)


async def unlatch(opened: OpenRegistry) -> AsyncGenerator[Document, None]:
    """Allow writing again after the disk has failed; refused while it still fails."""
    try:
        reason = await allow_writes(opened.state, OPERATOR)
    except OSError as error:
        raise CommandRefused(f"no file can be created on the disk: {error.strerror}") from error
    yield {"reason": reason}
