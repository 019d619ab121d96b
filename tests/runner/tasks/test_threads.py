"""Threads awaited to their end, and the reason why anyio's are not used for them."""

import asyncio
import threading
from pathlib import Path
from typing import BinaryIO

import pytest
from anyio.to_thread import run_sync

from runner.tasks.threads import in_thread, opened_in_thread


class Step:
    """A blocking step that ends when it is told to."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.go_on = threading.Event()
        self.done = False

    def __call__(self) -> None:
        self.began.set()
        self.go_on.wait()
        self.done = True


async def test_a_result_and_an_error_reach_the_caller() -> None:
    assert await in_thread(max, 1, 2, key=lambda number: -number) == 1
    with pytest.raises(ZeroDivisionError):
        await in_thread(divmod, 1, 0)


async def test_a_cancellation_is_raised_after_the_step_has_ended() -> None:
    step = Step()
    caller = asyncio.create_task(in_thread(step))
    await asyncio.to_thread(step.began.wait)
    caller.cancel()
    for _ in range(3):
        await asyncio.sleep(0)
    assert not caller.done()
    step.go_on.set()

    with pytest.raises(asyncio.CancelledError):
        await caller
    assert step.done


async def test_a_file_that_is_opened_for_nobody_any_more_is_closed(tmp_path: Path) -> None:
    step, files = Step(), list[BinaryIO]()

    def open_file() -> BinaryIO:
        step()
        files.append((tmp_path / "file").open("wb"))
        return files[0]

    async def use() -> None:
        async with opened_in_thread(open_file):
            pytest.fail("the caller was cancelled")

    caller = asyncio.create_task(use())
    await asyncio.to_thread(step.began.wait)
    caller.cancel()
    step.go_on.set()

    with pytest.raises(asyncio.CancelledError):
        await caller
    assert files[0].closed


async def test_a_file_is_closed_at_the_end_of_the_block(tmp_path: Path) -> None:
    async with opened_in_thread((tmp_path / "file").open, "wb") as file:
        file.write(b"content")

    assert file.closed


async def test_anyios_thread_is_left_by_a_cancellation_of_its_task() -> None:
    step = Step()
    caller = asyncio.create_task(run_sync(step, abandon_on_cancel=False))
    await asyncio.to_thread(step.began.wait)
    caller.cancel()

    with pytest.raises(asyncio.CancelledError):
        await caller
    assert not step.done
    step.go_on.set()
