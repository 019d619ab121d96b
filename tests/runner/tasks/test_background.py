"""Tasks that nobody awaits: their failures are logged, their cancellations are not."""

import asyncio

from structlog.testing import capture_logs

from runner.tasks import background


async def failing() -> None:
    raise ValueError("why")


async def test_a_failure_that_nobody_awaits_is_logged() -> None:
    with capture_logs() as logs:
        task = background.start(failing(), "work")
        await asyncio.wait([task])
        await asyncio.sleep(0)

    assert [(each["event"], each["task"]) for each in logs] == [("background task failed", "work")]
    assert str(logs[0]["exc_info"]) == "why"


async def test_a_result_and_a_cancellation_are_not_logged() -> None:
    async def answer() -> int:
        return 3

    with capture_logs() as logs:
        waiting = background.start(asyncio.sleep(1000), "waiting")
        done = background.start(answer(), "answer")
        waiting.cancel()
        await asyncio.wait([waiting, done])
        await asyncio.sleep(0)

    assert done.result() == 3
    assert logs == []
