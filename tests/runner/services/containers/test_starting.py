"""A start that fails or hangs: undone, told, and never in the way of what ends it."""

import asyncio
import os
import select
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from runner.errors import NoSuchContainer
from runner.linux.inotify import FileWatch
from runner.runtime.errors import RuntimeTimedOut
from runner.schema import ExecOptions
from runner.services.containers import starting
from runner.services.containers.containers import Condition
from runner.services.containers.dependencies import ContainerDeps, Timing
from runner.services.containers.handle import ContainerHandle, Run
from runner.services.containers.lifecycle import State
from runner.services.containers.starting import StartAborted, StartFailed
from tests.support.runner import programs
from tests.support.runner.runner_containers import (
    RunnerContainers,
    leftovers,
    remove_all,
    runner_containers,
)

pytestmark = pytest.mark.takes(15)

FAILURES = (OSError(5, "Input/output error"), ValueError("odd"), KeyError("gone"))


def fail_at(monkeypatch: pytest.MonkeyPatch, name: str, error: Exception) -> None:
    """Let this step do its work, and then fail."""

    async def do(deps: ContainerDeps, handle: ContainerHandle, run: Run) -> None:
        await step.do(deps, handle, run)
        raise error

    step = next(step for step in starting.STEPS if step.name == name)
    steps = tuple(replace(one, do=do) if one is step else one for one in starting.STEPS)
    monkeypatch.setattr(starting, "STEPS", steps)


@pytest.mark.parametrize("name", [step.name for step in starting.STEPS[:3]])
@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
async def test_a_step_that_fails_with_any_error_is_undone_and_told(
    any_runner: RunnerContainers, monkeypatch: pytest.MonkeyPatch, name: str, error: Exception
) -> None:
    kept = await any_runner.create("true")
    gone = await any_runner.create("true", auto_remove=True)
    waiter = await any_runner.containers.wait(gone, Condition.REMOVED)
    with monkeypatch.context() as patched:
        fail_at(patched, name, error)

        for container in (kept, gone):
            with pytest.raises(StartFailed, match=f"cannot {name}: "):
                await any_runner.containers.start(container)

    async with asyncio.timeout(60):
        assert (await waiter.result()).code == 128
    with pytest.raises(NoSuchContainer):
        any_runner.containers.find(gone)
    found = any_runner.containers.find(kept)
    assert (found.state, found.exit_code) == (State.CREATED, 128)
    assert f"cannot {name}" in found.error
    assert not os.listdir(any_runner.run_dir / "b")
    await any_runner.containers.start(kept)


async def test_a_removal_that_fails_answers_who_waits_and_may_be_repeated(
    any_runner: RunnerContainers, monkeypatch: pytest.MonkeyPatch
) -> None:
    container = await any_runner.create("true")
    waiter = await any_runner.containers.wait(container, Condition.REMOVED)

    async def broken(key: str) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(any_runner.deps.snapshotter, "remove", broken)
        with pytest.raises(OSError, match="Input/output"):
            await any_runner.containers.remove(container)

    async with asyncio.timeout(60):
        assert "not removed" in (await waiter.result()).error
    await any_runner.containers.remove(container)
    assert leftovers(any_runner) == []


@asynccontextmanager
async def a_hanging_runtime(
    tmp_path: Path,
    run_dir: Path,
    operation: str,
    limit_seconds: float = 60,
    timing: Timing | None = None,
) -> AsyncIterator[RunnerContainers]:
    """Containers with a runtime whose one verb never returns."""
    program = tmp_path / "runtime"
    program.write_text(
        "#!/bin/sh\n"
        f'case " $* " in *" {operation} "*) echo $$ > {tmp_path}/pid;'
        f" mv {tmp_path}/pid {tmp_path}/hangs; sleep 1000 & wait;; esac\n"
        'exec runc "$@"\n'
    )
    program.chmod(0o755)
    async with runner_containers(
        tmp_path / "root",
        run_dir,
        runtime_program=str(program),
        limit_seconds=limit_seconds,
        timing=timing,
    ) as runner:
        try:
            yield runner
        finally:
            await remove_all(runner)


async def hangs(tmp_path: Path) -> None:
    await appears(tmp_path / "hangs")


async def appears(path: Path) -> None:
    """Wait until the file is there, in a directory that is."""
    watch = FileWatch(path)
    try:
        async with asyncio.timeout(60):
            while not is_there(path):
                await watch.wait()
    finally:
        watch.close()


def make_fifo(place: Path) -> None:
    place.parent.mkdir(exist_ok=True)
    os.mkfifo(place)


def is_there(path: Path) -> bool:
    return path.exists()


async def has_ended(tmp_path: Path) -> bool:
    """Whether the runtime's process ends, within the time of a SIGKILL on a busy machine."""
    pid = int((tmp_path / "hangs").read_text())
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    ready, _, _ = await asyncio.to_thread(select.select, [pidfd], [], [], 60)
    os.close(pidfd)
    return bool(ready)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    return tmp_path


@pytest.mark.parametrize("operation", ["create", "start"])
@pytest.mark.needs_root
async def test_a_runtime_that_hangs_is_ended_when_its_time_is_up(
    root: Path, run_dir: Path, operation: str
) -> None:
    async with a_hanging_runtime(root, run_dir, operation, limit_seconds=2) as runner:
        container = await runner.create("true")

        with pytest.raises(RuntimeTimedOut, match="did not answer within 2 seconds"):
            await runner.containers.start(container)

        assert await has_ended(root)
        assert runner.containers.find(container).state is State.CREATED
        assert not os.listdir(run_dir / "b")


async def test_an_exec_that_hangs_is_ended_when_its_time_is_up(root: Path, run_dir: Path) -> None:
    async with a_hanging_runtime(root, run_dir, "exec", limit_seconds=2) as runner:
        container = await runner.start("sleep", "100")
        exec_id = await runner.execs.create(container, ExecOptions(("true",)))

        async with asyncio.timeout(30):
            with pytest.raises(RuntimeTimedOut, match="exec did not answer within 2 seconds"):
                await runner.execs.start(exec_id)

        assert await has_ended(root)
        assert not runner.execs.find(exec_id).running
        assert runner.containers.find(container).state is State.RUNNING


@pytest.mark.parametrize("operation", ["create", "start"])
@pytest.mark.parametrize("ending", ["kill", "stop", "remove"])
@pytest.mark.needs_root
async def test_a_start_that_hangs_is_ended_by_kill_stop_and_remove(
    root: Path, run_dir: Path, operation: str, ending: str
) -> None:
    async with a_hanging_runtime(root, run_dir, operation) as runner:
        container = await runner.create("true")
        starting_ = asyncio.create_task(runner.containers.start(container))
        await hangs(root)

        async with asyncio.timeout(60):
            await {
                "kill": lambda: runner.containers.kill(container),
                "stop": lambda: runner.containers.stop(container),
                "remove": lambda: runner.containers.remove(container, force=True),
            }[ending]()
            with pytest.raises(StartAborted):
                await starting_

        assert await has_ended(root)
        assert not os.listdir(run_dir / "b")
        assert (runner.containers.list() == ()) == (ending == "remove")


@pytest.mark.needs_root
async def test_a_daemon_with_a_start_that_hangs_ends(root: Path, run_dir: Path) -> None:
    timing = Timing(close_seconds=0.1)
    async with a_hanging_runtime(root, run_dir, "create", timing=timing) as runner:
        container = await runner.create("true")
        starting_ = asyncio.create_task(runner.containers.start(container))
        await hangs(root)

        async with asyncio.timeout(60):
            await runner.containers.close()

        with pytest.raises(StartAborted):
            await starting_
        assert await has_ended(root)


@pytest.mark.needs_root
async def test_a_program_that_reads_a_fifo_for_passwd_can_be_removed(
    runner: RunnerContainers,
) -> None:
    container = await runner.create("true")
    place = runner.root / "snapshots" / container / "diff" / "etc" / "passwd"
    make_fifo(place)
    os.makedirs(runner.run_dir / "b", exist_ok=True)
    starting_ = asyncio.create_task(runner.containers.start(container))
    await appears(runner.run_dir / "b" / container)
    await appears(runner.run_dir / "b" / container / "conmon.pid")
    async with asyncio.timeout(60):
        await runner.containers.remove(container, force=True)
        await asyncio.wait([starting_])

    assert leftovers(runner) == []


@pytest.mark.needs_root
async def test_a_stop_that_waits_holds_up_nobody(runner: RunnerContainers) -> None:
    script = "trap '' TERM; while true; do sleep 0.1; done"
    container = await runner.start("sh", "-c", script, stop_timeout=-1)
    waiting = asyncio.create_task(runner.containers.stop(container))
    async with asyncio.timeout(60):
        async for event in runner.events.subscribe(since=0):
            if event.action == "kill":
                break

        await runner.containers.rename(container, "renamed")
        await runner.containers.pause(container)
        await runner.containers.unpause(container)
        await runner.containers.kill(container)
        await waiting

    assert runner.containers.find("renamed").exit_code == 137


@pytest.mark.needs_root
async def test_a_forced_removal_does_not_wait_for_a_stop(runner: RunnerContainers) -> None:
    container = await runner.start("sh", "-c", "trap '' TERM; while true; do sleep 0.1; done")
    waiting = asyncio.create_task(runner.containers.stop(container, timeout=600))
    await asyncio.sleep(0)

    async with asyncio.timeout(60):
        await runner.containers.remove(container, force=True)
        await waiting

    assert leftovers(runner) == []


@pytest.mark.needs_root
async def test_a_stop_that_waited_leaves_the_next_run_alone(runner: RunnerContainers) -> None:
    script = "trap 'exit 3' USR1; trap '' TERM; echo on; while true; do sleep 0.05; done"
    container = await runner.start("sh", "-c", script)
    async for _ in runner.streams.logs(container, follow=True):
        break
    waiting = asyncio.create_task(runner.containers.stop(container, timeout=2))
    await asyncio.sleep(0)
    waiter = await runner.containers.wait(container, Condition.NEXT_EXIT)
    await runner.containers.kill(container, "USR1")
    assert (await waiter.result()).code == 3

    await runner.containers.start(container)
    await waiting

    assert runner.containers.find(container).state is State.RUNNING


@pytest.mark.needs_root
async def test_a_container_that_removes_itself_survives_a_restart(
    runner: RunnerContainers,
) -> None:
    container = await runner.start("sleep", "60", auto_remove=True)

    await runner.containers.restart(container, timeout=0)

    assert runner.containers.find(container).state is State.RUNNING


async def test_a_killed_container_has_ended(any_runner: RunnerContainers) -> None:
    container = await any_runner.start(*programs.SLEEP)

    await any_runner.containers.kill(container)

    assert any_runner.containers.find(container).state is State.EXITED
    await any_runner.containers.remove(container)


@pytest.mark.needs_root
async def test_a_paused_container_is_stopped_by_whatever_signal(runner: RunnerContainers) -> None:
    container = await runner.start("sh", "-c", "trap 'exit 6' USR1; while true; do sleep 0.1; done")
    await runner.containers.pause(container)

    async with asyncio.timeout(60):
        await runner.containers.stop(container, timeout=-1, signal="USR1")

    assert runner.containers.find(container).exit_code in (6, 138)
