"""DisconnectWatcher: detect a disconnected client.

Reading b"" does not tell a half-close from a disconnect.  For a Unix stream socket EPOLLHUP
does: both directions are shut down.
"""

import asyncio
import os
import select
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class DisconnectWatcher:
    """Calls back once when the peer of a watched socket has disconnected."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[], object]] = {}
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._epoll.fileno(), self._ready)

    @contextmanager
    def watched(self, descriptor: int, callback: Callable[[], object]) -> Iterator[None]:
        """Watch inside the block; a closed socket counts as disconnected."""
        try:
            # A duplicate: asyncio closes the other at any error, and its number could be reused.
            own = os.dup(descriptor)
        except OSError:
            callback()
            yield
            return
        self._callbacks[own] = callback
        # EPOLLHUP is always reported, without being requested.
        self._epoll.register(own, select.EPOLLONESHOT)
        try:
            yield
        finally:
            del self._callbacks[own]
            self._epoll.unregister(own)
            os.close(own)

    def close(self) -> None:
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()

    def _ready(self) -> None:
        for descriptor, _ in self._epoll.poll(0):
            if (callback := self._callbacks.get(descriptor)) is not None:
                callback()
