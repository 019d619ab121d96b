"""Background tasks: every failure is logged, shown and restarted."""

import asyncio
from collections.abc import Iterator

import pytest
import structlog

from registry import background
from registry.background import BackgroundTasks


@pytest.fixture
def tasks() -> BackgroundTasks:
    return BackgroundTasks(restart_seconds=0)


class Work:
    """Fails as often as it is told to, each time in another way, and then runs on."""

    def __init__(self, *failures: BaseException | None) -> None:
        self._failures: Iterator[BaseException | None] = iter(failures)
        self.settled = asyncio.Event()

    async def __call__(self) -> None:
        for failure in self._failures:
            if failure is None:
                return
            raise failure
        self.settled.set()
        await asyncio.Event().wait()


@pytest.mark.parametrize(
    "failure",
    [LookupError("a bug"), asyncio.CancelledError(), None],
    ids=["raises", "was cancelled by something it waited for", "returns"],
)
async def test_a_task_that_ends_is_logged_and_restarted(
    tasks: BackgroundTasks, failure: BaseException | None
) -> None:
    work = Work(failure)

    with structlog.testing.capture_logs() as logs:
        async with tasks.running("watch", work):
            await asyncio.wait_for(work.settled.wait(), 60)

    [line] = logs
    assert (line["log_level"], line["task"]) == ("error", "watch")
    assert line["event"] == "background task failed, and is restarted"


async def test_it_shows_until_it_has_run_for_a_while(
    tasks: BackgroundTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = Work(LookupError())

    with structlog.testing.capture_logs():
        async with tasks.running("watch", work):
            await asyncio.wait_for(work.settled.wait(), 60)
            at_first = tasks.problem
            monkeypatch.setattr(background, "HEALTHY_SECONDS", 0)
            later = tasks.problem

    assert at_first == "background task failed: watch"
    assert later is None


async def test_it_shows_while_it_waits_to_be_restarted() -> None:
    tasks, failed = BackgroundTasks(restart_seconds=3600), asyncio.Event()

    async def work() -> None:
        failed.set()
        raise LookupError

    with structlog.testing.capture_logs():
        async with tasks.running("watch", work):
            await failed.wait()
            await asyncio.sleep(0)  # its failure is handled in the same turn of the loop
            problem = tasks.problem

    assert problem == "background task failed: watch"
    assert tasks.problem is None  # stopped on purpose


async def test_work_that_may_end_is_restarted_only_after_a_failure(tasks: BackgroundTasks) -> None:
    runs = 0

    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs < 3:
            raise OSError("the disk is slow")

    with structlog.testing.capture_logs() as logs:
        await asyncio.wait_for(tasks.supervise("check", work, ends=True), 60)

    assert (runs, len(logs), tasks.problem) == (3, 2, None)


async def test_it_ends_when_it_is_cancelled(tasks: BackgroundTasks) -> None:
    work = Work()
    with structlog.testing.capture_logs() as logs:
        task = asyncio.create_task(tasks.supervise("watch", work))
        await work.settled.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert logs == []
