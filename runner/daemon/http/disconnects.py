"""DisconnectWatcher: notice that a client is gone, and not merely silent.

A client that half-closes looks to a reader like one that went away: both read as b"".  For a Unix
stream socket the kernel tells them apart: EPOLLHUP means that both directions are shut.
"""

import asyncio
import os
import select
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class DisconnectWatcher:
    """Calls back, once, when the peer of a watched socket has closed it for good."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[], object]] = {}
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._epoll.fileno(), self._ready)

    @contextmanager
    def watched(self, descriptor: int, callback: Callable[[], object]) -> Iterator[None]:
        """Watch inside the block; a socket that has been closed already counts as gone."""
        try:
            # Our own descriptor: asyncio closes the other one at any error, and the number
            # would soon be another connection's.
            own = os.dup(descriptor)
        except OSError:
            callback()
            yield
            return
        self._callbacks[own] = callback
        # No event is asked for: EPOLLHUP is always told.
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
