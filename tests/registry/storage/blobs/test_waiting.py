"""Shielded steps, and the reason why anyio's shield is not used for them."""

import asyncio

import pytest
from anyio import CancelScope
from structlog.testing import capture_logs

from oci.errors import OCIError
from registry.storage.blobs.waiting import run_shielded


async def test_a_result_and_an_error_reach_the_caller() -> None:
    async def fail() -> None:
        raise OCIError("no")

    assert await run_shielded(asyncio.sleep(0, "done")) == "done"
    with pytest.raises(OCIError, match="no"):
        await run_shielded(fail())


async def test_a_step_outlasts_every_cancellation_of_its_caller() -> None:
    go_on, done = asyncio.Event(), asyncio.Event()

    async def step() -> None:
        await go_on.wait()
        done.set()

    caller = asyncio.create_task(run_shielded(step()))
    for _ in range(2):
        await asyncio.sleep(0)
        caller.cancel()
    await asyncio.sleep(0)
    assert not caller.done()
    go_on.set()

    with pytest.raises(asyncio.CancelledError):
        await caller
    assert done.is_set()


@pytest.mark.parametrize(("error", "logged"), [(ValueError("odd"), 1), (OCIError("no"), 0)])
async def test_an_error_that_no_caller_sees_is_logged_unless_it_is_a_refusal(
    error: Exception, logged: int
) -> None:
    go_on = asyncio.Event()

    async def step() -> None:
        await go_on.wait()
        raise error

    with capture_logs() as entries:
        caller = asyncio.create_task(run_shielded(step()))
        await asyncio.sleep(0)
        caller.cancel()
        await asyncio.sleep(0)
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await caller

    assert len(entries) == logged


async def test_anyios_shield_ends_with_a_cancellation_of_its_task() -> None:
    done = asyncio.Event()

    async def step() -> None:
        with CancelScope(shield=True):
            await asyncio.Event().wait()
            done.set()

    caller = asyncio.create_task(step())
    await asyncio.sleep(0)
    caller.cancel()

    with pytest.raises(asyncio.CancelledError):
        await caller
    assert not done.is_set()
