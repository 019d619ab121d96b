"""LayerSync: sync unpacked layers to disk in the background.

An optimization: a layer lost in a power cut is unpacked again from its blob, which was synced
before the pull returned.
"""

import asyncio

import structlog

from runner.storage.layers.contract import LayerStore
from runner.tasks import background

log = structlog.get_logger()

# By then the kernel has written back most pages, so the sync is cheap.
SYNC_AFTER_SECONDS = 30.0


class LayerSync:
    """Runs at most one sync at a time, ``after_seconds`` after new layers."""

    def __init__(self, layers: LayerStore, after_seconds: float = SYNC_AFTER_SECONDS) -> None:
        self._layers = layers
        self._after_seconds = after_seconds
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Schedule a sync for new layers; returns at once."""
        if self._layers.unsynced and (self._task is None or self._task.done()):
            self._task = background.start(self._sync(), "sync layers")

    async def close(self) -> None:
        """Cancel a scheduled sync: the daemon syncs when it stops."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _sync(self) -> None:
        # Layers added during a sync need another.
        while self._layers.unsynced:
            await asyncio.sleep(self._after_seconds)
            try:
                await self._layers.sync()
            except OSError as error:
                log.warning("layers not synced", error=str(error))
                return
