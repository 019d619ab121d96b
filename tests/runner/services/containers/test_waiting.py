import asyncio
from datetime import UTC, datetime

from runner.runtime.contract import ExitStatus
from runner.services.containers.waiting import Condition, Waiters

STATUS = ExitStatus(3, datetime(2026, 1, 1, tzinfo=UTC))


async def test_an_end_is_told_to_who_waits_for_one() -> None:
    waiters = Waiters()
    not_running = waiters.join(Condition.NOT_RUNNING)
    next_exit = waiters.join(Condition.NEXT_EXIT)
    removed = waiters.join(Condition.REMOVED)
    waiting = asyncio.create_task(removed.result())

    waiters.ended(STATUS)

    assert await not_running.result() == STATUS
    assert await next_exit.result() == STATUS
    await asyncio.sleep(0)
    assert not waiting.done()
    waiters.removed(STATUS)
    assert await waiting == STATUS


async def test_a_result_is_kept_for_who_asks_late() -> None:
    waiters = Waiters()
    waiter = waiters.join(Condition.NEXT_EXIT)

    waiters.ended(STATUS)
    waiters.ended(ExitStatus(4, STATUS.finished_at))

    assert await waiter.result() == STATUS


async def test_a_closed_waiter_is_not_told() -> None:
    waiters = Waiters()
    waiter = waiters.join(Condition.NEXT_EXIT)
    waiting = asyncio.create_task(waiter.result())

    waiter.close()
    waiters.ended(STATUS)
    await asyncio.sleep(0)

    assert not waiting.done()
    waiting.cancel()


async def test_one_who_gives_up_does_not_disturb_another() -> None:
    waiters = Waiters()
    waiter = waiters.join(Condition.NEXT_EXIT)
    impatient = asyncio.create_task(waiter.result())
    await asyncio.sleep(0)

    impatient.cancel()
    await asyncio.gather(impatient, return_exceptions=True)
    waiter.publish(STATUS)

    assert await waiter.result() == STATUS
