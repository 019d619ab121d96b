"""Together: the first failure is the failure of all."""

import asyncio

import pytest

from runner.errors import Conflict
from runner.tasks.run_all import run_all


async def test_all_of_it_runs_side_by_side() -> None:
    first, second = asyncio.Event(), asyncio.Event()

    async def meet(mine: asyncio.Event, other: asyncio.Event) -> None:
        mine.set()
        await other.wait()

    async with asyncio.timeout(60):
        await run_all([meet(first, second), meet(second, first)])


async def test_a_failure_ends_the_others_and_is_raised_itself() -> None:
    ended = asyncio.Event()

    async def fail() -> None:
        raise Conflict("no")

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(Conflict, match="no"):
        await run_all([wait(), fail()])
    assert ended.is_set()


async def test_a_refusal_is_told_rather_than_what_followed_from_it() -> None:
    async def fail(error: Exception) -> None:
        raise error

    with pytest.raises(Conflict):
        await run_all([fail(RuntimeError("noise")), fail(Conflict("the reason"))])


async def test_a_cancellation_is_no_failure() -> None:
    task = asyncio.create_task(run_all([asyncio.Event().wait()]))
    await asyncio.sleep(0)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
