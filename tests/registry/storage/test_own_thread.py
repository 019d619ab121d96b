"""Own threads: beside the shared pool, and to their end."""

import asyncio
import threading

import pytest

from registry.storage.own_thread import in_own_thread


async def test_steps_run_though_every_other_thread_is_busy() -> None:
    finish = threading.Event()
    shared = [asyncio.create_task(asyncio.to_thread(finish.wait)) for _ in range(64)]
    own = [asyncio.create_task(in_own_thread(finish.wait)) for _ in range(64)]

    async with asyncio.timeout(60):
        assert await in_own_thread(max, 1, 2, key=lambda number: -number) == 1

    finish.set()
    await asyncio.gather(*shared, *own)


async def test_an_error_of_a_step_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        await in_own_thread(divmod, 1, 0)


async def test_a_cancelled_step_is_left_at_once_and_runs_to_its_end() -> None:
    began, go_on, done = threading.Event(), threading.Event(), threading.Event()

    def step() -> None:
        began.set()
        go_on.wait()
        done.set()

    task = asyncio.create_task(in_own_thread(step))
    await asyncio.to_thread(began.wait)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not done.is_set()
    go_on.set()

    assert await asyncio.to_thread(done.wait, 60)
