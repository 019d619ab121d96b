"""Keeping: the chores on the disk, and the command that ends a failure."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

from registry.admin.command import Document
from registry.admin.opened import OpenRegistry
from registry.errors import CommandRefused
from registry.services.janitor import Chore
from registry.storage.metadata import acts
from registry.storage.metadata.database import Connection

WATCH_SECONDS = 1.0


def chores(opened: OpenRegistry) -> Sequence[Chore]:
    """Watching the free space."""
    room = opened.database.guard.room
    assert room is not None, "an open registry has a root"

    async def watch() -> None:
        await asyncio.to_thread(room.tend)

    return (Chore("disk", WATCH_SECONDS, watch),)


async def unlatch(opened: OpenRegistry) -> AsyncGenerator[Document, None]:
    """Allow writing again after the disk has failed; refused while it still fails."""
    guard = opened.database.guard
    try:
        reason = await asyncio.to_thread(guard.latch.open)
    except OSError as error:
        raise CommandRefused(f"the disk still takes no file: {error.strerror}") from error

    def unit(connection: Connection) -> None:
        act = acts.begin(connection, "operator")
        acts.record(connection, act, "unlatch", "", "", reason or "")

    if reason is not None:
        await opened.database.write(unit)
    yield {"reason": reason}
