"""Own threads: long steps of operator commands run outside the shared thread pool."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

P = ParamSpec("P")
T = TypeVar("T")


async def in_own_thread(step: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a step in a thread that no other step waits for.

    asyncio's shared threads are few, and requests need them: a scrub that sleeps, or a backup that
    copies for hours, would occupy one.  If cancelled, the step still runs to its end.
    """
    work = partial(step, *args, **kwargs)
    return await run_sync(work, abandon_on_cancel=True, limiter=CapacityLimiter(1))
