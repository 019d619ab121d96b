"""Wait for a container's exit, next exit, or removal.

Engine API, ``ContainerWait``.
https://docs.docker.com/engine/api/v1.44/#tag/Container/operation/ContainerWait
"""

import asyncio
from enum import StrEnum

from runner.runtime.contract import ExitStatus


class Condition(StrEnum):
    """The event to wait for."""

    NOT_RUNNING = "not-running"
    NEXT_EXIT = "next-exit"
    REMOVED = "removed"


class Waiter:
    """One subscription; active from its creation, so that no exit is missed."""

    def __init__(self, waiters: "Waiters", condition: Condition) -> None:
        self._waiters = waiters
        self.condition = condition
        self._exit_status: asyncio.Future[ExitStatus] = asyncio.get_running_loop().create_future()

    async def result(self) -> ExitStatus:
        """Wait for the event; returns the container's exit status."""
        try:
            return await asyncio.shield(self._exit_status)
        finally:
            self.close()

    def publish(self, status: ExitStatus) -> None:
        if not self._exit_status.done():
            self._exit_status.set_result(status)

    def close(self) -> None:
        """Cancel the subscription."""
        self._waiters.leave(self)


class Waiters:
    """All subscriptions to one container."""

    def __init__(self) -> None:
        self._all: set[Waiter] = set()

    def join(self, condition: Condition) -> Waiter:
        waiter = Waiter(self, condition)
        self._all.add(waiter)
        return waiter

    def leave(self, waiter: Waiter) -> None:
        self._all.discard(waiter)

    def ended(self, status: ExitStatus) -> None:
        """Notify an exit; those waiting for the removal keep waiting."""
        for waiter in tuple(self._all):
            if waiter.condition is not Condition.REMOVED:
                waiter.publish(status)
                self.leave(waiter)

    def removed(self, status: ExitStatus) -> None:
        """Notify the removal; it completes every subscription."""
        for waiter in tuple(self._all):
            waiter.publish(status)
        self._all.clear()
