"""RetryPolicy: how often to try again after a failure of the wire, and how long to wait before."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from runner.errors import Unavailable

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """``tries`` in all; each wait is about twice the one before, and never the same for two."""

    tries: int = 5
    first_wait_seconds: float = 0.25

    def brief(self) -> "RetryPolicy":
        """For what somebody is waiting to see begin."""
        return replace(self, tries=min(self.tries, 3))

    async def wait(self, failures: int) -> None:
        """Wait before the try that follows so many failures."""
        jitter = random.uniform(0.5, 1.5)  # noqa: S311 - spreads load, keeps no secret
        await asyncio.sleep(self.first_wait_seconds * 2 ** (failures - 1) * jitter)

    async def retry(self, call: Callable[[], Awaitable[T]]) -> T:
        """Call until it does not raise Unavailable, or raise the last one."""
        for failures in range(1, self.tries):
            try:
                return await call()
            except Unavailable:
                await self.wait(failures)
        return await call()
