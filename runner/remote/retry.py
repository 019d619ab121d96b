"""RetryPolicy: number of attempts after network failures, and the waits between them."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from runner.errors import Unavailable

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Makes ``tries`` attempts; waits double each time, with jitter."""

    tries: int = 5
    first_wait_seconds: float = 0.25

    def brief(self) -> "RetryPolicy":
        """A shorter policy, for requests that a user waits for."""
        return replace(self, tries=min(self.tries, 3))

    async def wait(self, failures: int) -> None:
        """Wait before the next attempt, after ``failures`` failures."""
        jitter = random.uniform(0.5, 1.5)  # noqa: S311 - spreads load, keeps no secret
        await asyncio.sleep(self.first_wait_seconds * 2 ** (failures - 1) * jitter)

    async def retry(self, call: Callable[[], Awaitable[T]]) -> T:
        """Call until it does not raise Unavailable; after the last attempt, raise that."""
        for failures in range(1, self.tries):
            try:
                return await call()
            except Unavailable:
                await self.wait(failures)
        return await call()
