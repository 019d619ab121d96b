"""ShieldedTasks: operations that run to completion even if their callers are cancelled."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class ShieldedTasks:
    """Tasks of callers who may be cancelled, such as clients that disconnect.

    A caller's cancellation is raised at once, and its task goes on; ``finish`` waits for all.
    """

    def __init__(self) -> None:
        self._under_way: set[asyncio.Task[Any]] = set()

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run the coroutine in a task of its own; returns its result."""
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)

    async def finish(self, seconds: float) -> None:
        """Wait for the tasks in progress; after this time, cancel them and wait for their end."""
        if self._under_way:
            await asyncio.wait(set(self._under_way), timeout=seconds)
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
