"""Logs of real containers: bounded, and no line is lost while a daemon looks after them."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runner.runtime.monitor.conmon import LOG_BYTES
from runner.services.containers.dependencies import Timing
from tests.support.runner.runner_containers import (
    RunnerContainers,
    remove_all,
    runner_containers,
)

pytestmark = pytest.mark.needs_root

LINES = 20_000
# In batches, so that the log is looked at in between on a slow machine too.
SCRIPT = (
    f"i=0; while [ $i -lt {LINES} ]; do echo line $i of many; i=$((i+1)); "
    "[ $((i % 1000)) != 0 ] || sleep 0.06; done"
)
WHOLE = [f"line {number} of many" for number in range(LINES)]


@pytest.fixture
def timing() -> Timing:
    """How often logs are looked at."""
    return Timing(log_poll_seconds=0.01)


@pytest.fixture
def log_bytes() -> int:
    """The size at which the monitor truncates a log."""
    return LOG_BYTES


@pytest.fixture
async def runner(
    tmp_path: Path, run_dir: Path, timing: Timing, log_bytes: int
) -> AsyncIterator[RunnerContainers]:
    async with runner_containers(tmp_path, run_dir, timing=timing, log_bytes=log_bytes) as composed:
        try:
            yield composed
        finally:
            await remove_all(composed)


def sizes(log: Path) -> list[int]:
    return [path.stat().st_size for path in log.parent.glob(f"{log.name}*")]


async def ended(runner: RunnerContainers, container: str) -> None:
    async with asyncio.timeout(60):
        await (await runner.containers.wait(container)).result()
        await runner.containers.handle(container).wait_released()


async def test_a_log_is_rotated_and_no_line_is_lost(
    runner: RunnerContainers,
) -> None:
    options = {"max-size": "50k", "max-file": "1000"}
    container = await runner.create("sh", "-c", SCRIPT, log_options=options)
    followed = runner.streams.logs(container, follow=True)
    following = asyncio.create_task(joined(followed))

    await runner.containers.start(container)
    await ended(runner, container)

    async with asyncio.timeout(60):
        assert (await following).splitlines() == WHOLE
    assert (await runner.output(container))[0].splitlines() == WHOLE
    assert len(sizes(runner.containers.find(container).log_path)) > 2
    tail = await joined(runner.streams.logs(container, tail=15_000))
    assert tail.splitlines() == WHOLE[-15_000:]


async def joined(frames: object) -> str:
    return b"".join([frame.content async for frame in frames]).decode()  # type: ignore[attr-defined]  # of whatever generator


@pytest.mark.parametrize("files", [1, 2])
async def test_so_many_files_are_kept_and_the_end_is_there(
    runner: RunnerContainers, files: int
) -> None:
    options = {"max-size": "50k", "max-file": str(files)}
    container = await runner.start("sh", "-c", SCRIPT, log_options=options)
    await ended(runner, container)

    found = (await runner.output(container))[0].splitlines()

    assert len(sizes(runner.containers.find(container).log_path)) <= files
    # With one file, a rotation may come after the last line.
    assert (0 if files == 1 else 1) <= len(found) < LINES
    assert found == WHOLE[LINES - len(found) :]


@pytest.mark.parametrize(("timing", "log_bytes"), [(Timing(log_poll_seconds=1000), 200_000)])
async def test_a_log_that_nobody_rotates_is_bounded_by_its_monitor(
    runner: RunnerContainers,
) -> None:
    container = await runner.start("sh", "-c", SCRIPT, log_options={"max-size": "50k"})
    await ended(runner, container)

    (size,) = sizes(runner.containers.find(container).log_path)

    assert size <= 200_000
    assert (await runner.output(container))[0].endswith(f"{WHOLE[-1]}\n")
