"""Hangups: notice that a client is gone, and not merely silent.

A client that half-closes looks to a reader like one that went away: both read as b"".  For a Unix
stream socket the kernel tells them apart: EPOLLHUP means that both directions are shut.
"""

import asyncio
import select
from collections.abc import Callable


class Hangups:
    """Calls back, once, when the peer of a watched socket has closed it for good."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[], object]] = {}
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._epoll.fileno(), self._ready)

    def watch(self, descriptor: int, callback: Callable[[], object]) -> None:
        self._callbacks[descriptor] = callback
        # No event is asked for: EPOLLHUP is always told.
        self._epoll.register(descriptor, select.EPOLLONESHOT)

    def forget(self, descriptor: int) -> None:
        """Stop watching; before the descriptor is closed, for its number will be used again."""
        if self._callbacks.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)

    def close(self) -> None:
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()

    def _ready(self) -> None:
        for descriptor, _ in self._epoll.poll(0):
            if (callback := self._callbacks.get(descriptor)) is not None:
                callback()
