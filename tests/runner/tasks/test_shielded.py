"""ShieldedTasks: a cancelled caller, a caller that stays, and the end of all."""

import asyncio

import pytest

from runner.tasks.shielded import ShieldedTasks


async def test_a_result_and_an_error_reach_the_caller() -> None:
    tasks = ShieldedTasks()

    async def fail() -> None:
        raise ValueError("odd")

    assert await tasks.run(asyncio.sleep(0, "done")) == "done"
    with pytest.raises(ValueError, match="odd"):
        await tasks.run(fail())


async def test_a_cancelled_caller_is_answered_at_once_and_its_task_goes_on() -> None:
    tasks, go_on, done = ShieldedTasks(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        await go_on.wait()
        done.set()

    caller = asyncio.create_task(tasks.run(work()))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert not done.is_set()
    go_on.set()
    await tasks.finish(60)

    assert done.is_set()


async def test_a_task_that_does_not_end_is_cancelled_after_the_time() -> None:
    tasks, cancelled = ShieldedTasks(), asyncio.Event()

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    caller = asyncio.create_task(tasks.run(hang()))
    await asyncio.sleep(0)
    await tasks.finish(0)

    assert cancelled.is_set()
    with pytest.raises(asyncio.CancelledError):
        await caller
