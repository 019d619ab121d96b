"""Waiting for a container to end, to end once more, or to be gone.

Engine API, ``ContainerWait``.
"""

import asyncio
from enum import StrEnum

from runner.runtime.contract import ExitStatus


class Condition(StrEnum):
    """What somebody waits for."""

    NOT_RUNNING = "not-running"
    NEXT_EXIT = "next-exit"
    REMOVED = "removed"


class Waiter:
    """One who waits; subscribed from its making, so that no end is missed."""

    def __init__(self, waiters: "Waiters", condition: Condition) -> None:
        self._waiters = waiters
        self.condition = condition
        self._told: asyncio.Future[ExitStatus] = asyncio.get_running_loop().create_future()

    async def result(self) -> ExitStatus:
        """Sleep until it has happened; how the container ended."""
        try:
            return await asyncio.shield(self._told)
        finally:
            self.close()

    def publish(self, status: ExitStatus) -> None:
        if not self._told.done():
            self._told.set_result(status)

    def close(self) -> None:
        """Wait no longer."""
        self._waiters.leave(self)


class Waiters:
    """Everyone who waits for one container."""

    def __init__(self) -> None:
        self._all: set[Waiter] = set()

    def join(self, condition: Condition) -> Waiter:
        waiter = Waiter(self, condition)
        self._all.add(waiter)
        return waiter

    def leave(self, waiter: Waiter) -> None:
        self._all.discard(waiter)

    def ended(self, status: ExitStatus) -> None:
        """The container has ended; who waits for its removal waits on."""
        for waiter in tuple(self._all):
            if waiter.condition is not Condition.REMOVED:
                waiter.publish(status)
                self.leave(waiter)

    def removed(self, status: ExitStatus) -> None:
        """The container is gone, and with it everything one could wait for."""
        for waiter in tuple(self._all):
            waiter.publish(status)
        self._all.clear()
