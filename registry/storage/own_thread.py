"""Own threads: long steps of operator commands run outside the shared thread pool."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def in_own_thread(step: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a step in a new thread that ends with it.

    asyncio's shared threads are few, and requests need them: a scrub that sleeps, or a backup that
    copies for hours, would occupy one.  If cancelled, the step still runs to its end.
    """
    executor = ThreadPoolExecutor(1, thread_name_prefix="operator")
    try:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(executor, partial(step, *args, **kwargs))
    finally:
        executor.shutdown(wait=False)
