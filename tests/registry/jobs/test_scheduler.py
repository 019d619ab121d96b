"""Scheduler: every job at its interval, independently of the others."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import pytest
import structlog

from oci.errors import OCIError
from registry.background import BackgroundTasks
from registry.errors import RegistryReadOnly, StorageFailed, StorageFull, StorageUnreadable
from registry.jobs.scheduler import Job, Scheduler
from tests.support.registry.gc_service import GcService


async def test_ops_1_a_failing_job_is_logged_once_and_tried_again() -> None:
    turns = 0

    async def fails() -> None:
        nonlocal turns
        turns += 1
        if turns < 4:
            raise ValueError("garbage on the disk")

    scheduler = Scheduler([job := Job("fails", 1, fails)], BackgroundTasks())
    with structlog.testing.capture_logs() as logs:
        for _ in range(5):
            await scheduler.run_once(job)

    assert [line["event"] for line in logs] == [
        "background job failed, and will be tried again",
        "background job recovered",
    ]
    assert (scheduler.statuses["fails"].runs, scheduler.statuses["fails"].failures) == (2, 3)


@pytest.mark.parametrize(
    "refusal",
    [
        RegistryReadOnly("write: Input/output error"),
        StorageFull(),
        StorageFailed("no"),
        StorageUnreadable("no"),
    ],
)
async def test_a_refusal_is_one_line_without_a_traceback(refusal: OCIError) -> None:
    turns: list[Exception] = [refusal, refusal, ValueError("something else")]

    async def refused() -> None:
        raise turns.pop(0)

    scheduler = Scheduler([job := Job("epoch", 1, refused)], BackgroundTasks())
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            await scheduler.run_once(job)

    told, unknown = logs
    assert (told["log_level"], told["job"], told["reason"]) == ("warning", "epoch", str(refusal))
    assert "exc_info" not in told
    assert (unknown["log_level"], unknown["exc_info"]) == ("error", True)


async def test_a_failing_job_does_not_stop_the_others() -> None:
    done = asyncio.Event()

    async def fails() -> None:
        raise OSError("no such directory")

    async def works() -> Mapping[str, object]:
        done.set()
        return {"count": 1}

    scheduler = Scheduler(
        [Job("fails", 0.001, fails), Job("works", 0.01, works)], BackgroundTasks()
    )
    with structlog.testing.capture_logs():
        working = asyncio.create_task(scheduler.run())
        await asyncio.wait_for(done.wait(), 60)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)

    assert scheduler.statuses["works"].last == {"count": 1}
    assert scheduler.statuses["fails"].failures > 0


async def test_a_job_cancelled_by_its_awaitable_is_restarted_and_shown() -> None:
    background, done, turns = BackgroundTasks(restart_seconds=0), asyncio.Event(), 0

    async def cancelled_once() -> None:
        nonlocal turns
        turns += 1
        if turns == 1:
            raise asyncio.CancelledError
        done.set()

    scheduler = Scheduler([Job("gc", 0.001, cancelled_once)], background)
    with structlog.testing.capture_logs() as logs:
        working = asyncio.create_task(scheduler.run())
        await asyncio.wait_for(done.wait(), 60)
        problem = background.problem
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)

    assert problem == "background task failed: gc"
    assert [line["event"] for line in logs] == ["background task failed, and is restarted"]


async def test_the_scheduler_ends_at_once_in_the_middle_of_a_job() -> None:
    begun = asyncio.Event()

    async def endless() -> None:
        begun.set()
        await asyncio.sleep(3600)

    working = asyncio.create_task(Scheduler([Job("endless", 0, endless)], BackgroundTasks()).run())
    await begun.wait()
    working.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(working, 60)


async def test_ops_1_any_garbage_on_the_disk_is_survived(gc_service: GcService) -> None:
    """distribution's purge ended at a file with an empty name."""
    root = gc_service.service.root
    (root / "blobs" / "00" / "-").write_bytes(b"x")
    (root / "blobs" / "00" / "\udcff\n").write_bytes(b"x")
    (root / "blobs" / "00" / ("0" * 64)).mkdir()
    (root / "blobs" / "00" / ("0" * 64 + "-01234567-89ab-4def-8123-456789abcdef")).mkdir()
    (root / "uploads" / "link").symlink_to("/etc/passwd")
    (root / "uploads" / "..garbage").write_bytes(b"x")

    with structlog.testing.capture_logs():
        scheduler = Scheduler([job := Job("gc", 1, collect(gc_service))], BackgroundTasks())
        await scheduler.run_once(job)

    assert scheduler.statuses["gc"].failures == 0


def collect(gc_service: GcService) -> Callable[[], Awaitable[Mapping[str, object]]]:
    async def run() -> Mapping[str, object]:
        return (await gc_service.collect()).document()

    return run
