"""Run blocking work in threads, awaited to completion even on cancellation.

Neither ``asyncio.to_thread`` nor anyio's ``run_sync`` does that: both return at once when
``Task.cancel`` or ``asyncio.timeout`` cancels them, in anyio even inside a shielded scope.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run the function in a thread; a cancellation is raised after the function returns.

    Otherwise the thread would still use files that the caller then closes or removes.
    """
    return await in_executor(None, partial(function, *args, **kwargs))


async def in_executor(executor: Executor | None, function: Callable[[], T]) -> T:
    """Run the function in the given executor, as ``in_thread`` does."""
    work = asyncio.get_running_loop().run_in_executor(executor, function)
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        raise
