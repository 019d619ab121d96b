"""Run blocking work in threads, awaited to completion even on cancellation.

Neither ``asyncio.to_thread`` nor anyio's ``run_sync`` does that: both return at once when
``Task.cancel`` or ``asyncio.timeout`` cancels them, in anyio even inside a shielded scope.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from functools import partial
from typing import BinaryIO, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run the function in a thread; a cancellation is raised after the function returns.

    Otherwise the thread would still use files that the caller then closes or removes.
    """
    return await in_executor(None, partial(function, *args, **kwargs))


@asynccontextmanager
async def opened_in_thread(
    function: Callable[P, BinaryIO], *args: P.args, **kwargs: P.kwargs
) -> AsyncIterator[BinaryIO]:
    """Open a file in a thread; the end of the block closes it.

    So does a cancellation while it is being opened, when the caller never gets it.
    """
    work = asyncio.get_running_loop().run_in_executor(None, partial(function, *args, **kwargs))
    try:
        file = await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        if work.exception() is None:
            work.result().close()
        raise
    with file:
        yield file


async def in_executor(executor: Executor | None, function: Callable[[], T]) -> T:
    """Run the function in the given executor, as ``in_thread`` does."""
    work = asyncio.get_running_loop().run_in_executor(executor, function)
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        raise
