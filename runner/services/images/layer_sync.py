"""LayerSync: make unpacked layers survive a power cut, once nobody waits for it.

Nothing is lost without it: a layer that a power cut took is unpacked again from its blob, which
was synced before the pull was answered.
"""

import asyncio
from contextlib import suppress

import structlog

from runner.storage.layers.store import LayerStore

log = structlog.get_logger()

# By then the kernel has written most of it on its own, and the sync has little left to do.
SYNC_AFTER_SECONDS = 30.0


class LayerSync:
    """At most one sync at a time, some while after the layers came."""

    def __init__(self, layers: LayerStore, after_seconds: float = SYNC_AFTER_SECONDS) -> None:
        self._layers = layers
        self._after_seconds = after_seconds
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Layers have come; returns at once."""
        if self._layers.unsynced and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._sync(), name="sync layers")

    async def close(self) -> None:
        """Give up waiting: at the daemon's stop the layers are synced by whoever stops it."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _sync(self) -> None:
        # What comes during a sync waits for the next.
        while self._layers.unsynced:
            await asyncio.sleep(self._after_seconds)
            try:
                await self._layers.sync()
            except OSError as error:
                log.warning("layers not synced", error=str(error))
                return
