import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from runner.linux.mounts import unmount
from runner.services.containers.containers import Condition
from runner.services.containers.lifecycle import State
from runner.storage.records.contract import NotRecorded
from runner.storage.records.values import ContainerRecord
from tests.support.mounts import is_mounted
from tests.support.runner.runner_containers import RunnerContainers, remove_all, runner_containers

pytestmark = [pytest.mark.needs_root, pytest.mark.takes(11)]

REPOSITORY = Path(__file__).parents[3]


@asynccontextmanager
async def a_killed_daemon(root: Path, run_dir: Path, *command: str) -> AsyncIterator[str]:
    """A daemon in its own process starts a container, and is killed with SIGKILL."""
    daemon = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.runner.container_daemon", str(root), str(run_dir)),
        *command,
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
    )
    assert daemon.stdout is not None
    container = (await daemon.stdout.readline()).decode().strip()
    assert len(container) == 64
    daemon.send_signal(signal.SIGKILL)
    assert await daemon.wait() == -signal.SIGKILL
    yield container


@asynccontextmanager
async def the_next_daemon(root: Path, run_dir: Path) -> AsyncIterator[RunnerContainers]:
    async with runner_containers(root, run_dir) as runner:
        try:
            yield runner
        finally:
            await remove_all(runner)


async def test_a_killed_daemon_leaves_containers_running_and_the_next_one_knows_them(
    tmp_path: Path, run_dir: Path
) -> None:
    script = "echo before; while [ ! -e /go ]; do sleep 0.05; done; echo after; exit 9"
    async with a_killed_daemon(tmp_path, run_dir, "sh", "-c", script) as container:  # noqa: SIM117 — one daemon after the other
        async with the_next_daemon(tmp_path, run_dir) as runner:
            found = runner.containers.find(container)
            os.kill(found.pid, 0)
            waiter = await runner.containers.wait(container, Condition.NEXT_EXIT)
            logs = runner.streams.logs(container, follow=True)

            (run_dir / "r" / container / "go").touch()
            async with asyncio.timeout(60):
                status = await waiter.result()
                await runner.containers.handle(container).wait_released()
                output = b"".join([frame.content async for frame in logs])

            assert found.state is State.RUNNING
            assert found.started_at is not None
            assert (status.code, output) == (9, b"before\nafter\n")
            assert runner.containers.find(container).exit_code == 9
            assert not is_mounted(run_dir / "r" / container)


async def test_a_container_that_ended_without_a_daemon_has_its_exit_code_and_log(
    tmp_path: Path, run_dir: Path
) -> None:
    script = "while [ ! -e /go ]; do sleep 0.05; done; echo alone; exit 11"
    async with a_killed_daemon(tmp_path, run_dir, "sh", "-c", script) as container:
        pid = int((run_dir / "b" / container / "pidfile").read_text())
        monitor = int((run_dir / "b" / container / "conmon.pid").read_text())
        (run_dir / "r" / container / "go").touch()
        for process in (pid, monitor):
            await ended(process)

        async with the_next_daemon(tmp_path, run_dir) as runner:
            waiter = await runner.containers.wait(container)
            async with asyncio.timeout(60):
                status = await waiter.result()
                await runner.containers.handle(container).wait_released()

            found = runner.containers.find(container)
            assert (status.code, found.exit_code, found.state) == (11, 11, State.EXITED)
            assert (await runner.output(container))[0] == "alone\n"
            assert not (run_dir / "b" / container).exists()


async def test_an_end_that_nobody_saw_is_255_with_an_error(tmp_path: Path, run_dir: Path) -> None:
    async with a_killed_daemon(tmp_path, run_dir, "sleep", "100") as container:
        pid = int((run_dir / "b" / container / "pidfile").read_text())
        monitor = int((run_dir / "b" / container / "conmon.pid").read_text())
        os.kill(monitor, signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)
        for process in (pid, monitor):
            await ended(process)

        async with the_next_daemon(tmp_path, run_dir) as runner:
            async with asyncio.timeout(60):
                status = await (await runner.containers.wait(container)).result()

            assert status.code == 255
            assert "exit code is not known" in status.error
            assert "exit code is not known" in runner.containers.find(container).error


async def test_after_a_restart_of_the_host_nothing_runs_and_everything_can_start(
    tmp_path: Path, run_dir: Path
) -> None:
    async with a_killed_daemon(tmp_path, run_dir, "sh", "-c", "echo x >> /f; sleep 100") as id:
        pid = int((run_dir / "b" / id / "pidfile").read_text())
        monitor = int((run_dir / "b" / id / "conmon.pid").read_text())
        os.kill(monitor, signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)
        for process in (pid, monitor):
            await ended(process)
        reboot(run_dir, id)

        async with the_next_daemon(tmp_path, run_dir) as runner:
            found = runner.containers.find(id)
            assert (found.state, found.exit_code) == (State.EXITED, 255)
            assert "host was stopped" in found.error
            await runner.containers.start(id)
            assert runner.containers.find(id).state is State.RUNNING
            assert (run_dir / "r" / id / "f").read_text().startswith("x\n")


async def test_a_container_that_removes_itself_is_removed_by_the_next_daemon(
    tmp_path: Path, run_dir: Path
) -> None:
    async with runner_containers(tmp_path, run_dir) as runner:
        container = await runner.start("sleep", "100", auto_remove=True)
        pid = runner.containers.find(container).pid

    os.kill(pid, signal.SIGKILL)
    await ended(pid)
    async with the_next_daemon(tmp_path, run_dir) as runner:
        events = runner.events.subscribe(since=0)
        if runner.containers.list():
            async for event in events:
                if event.action == "destroy":
                    break

        assert runner.containers.list() == ()
        assert not (tmp_path / "containers" / container).exists()


async def test_a_daemon_that_stops_takes_up_its_containers_again(
    tmp_path: Path, run_dir: Path
) -> None:
    async with runner_containers(tmp_path, run_dir) as runner:
        running = await runner.start("sleep", "100")
        paused = await runner.start("sleep", "100")
        await runner.containers.pause(paused)
        idle = await runner.create("true", name="idle")

    async with the_next_daemon(tmp_path, run_dir) as runner:
        states = {id: runner.containers.find(id).state for id in (running, paused, idle)}
        await runner.containers.stop(running, timeout=0)

        assert states == {running: State.RUNNING, paused: State.PAUSED, idle: State.CREATED}
        assert runner.containers.find(running).exit_code == 137
        assert runner.containers.list()[0].name == "idle"


async def test_files_without_a_record_are_swept(tmp_path: Path, run_dir: Path) -> None:
    stranger = "f" * 64
    async with runner_containers(tmp_path, run_dir) as runner:
        await runner.deps.snapshotter.prepare(stranger, [])
        (tmp_path / "containers" / stranger).mkdir()
        (tmp_path / "volumes" / "lost" / "_data").mkdir(parents=True)
        for kind in ("b", "r"):
            (run_dir / kind / stranger).mkdir(parents=True)

    async with the_next_daemon(tmp_path, run_dir) as runner:
        assert await runner.deps.snapshotter.keys() == ()
        # Directories put aside are still being removed: os.walk does not mind what vanishes.
        left = [
            os.path.join(directory, name)
            for place in (tmp_path, run_dir)
            for directory, directories, files in os.walk(place)
            for name in (*directories, *files)
            if name == stranger
        ]
        assert left == []
        assert not (tmp_path / "volumes" / "lost").exists()


async def test_a_removal_that_was_cut_short_is_finished(tmp_path: Path, run_dir: Path) -> None:
    async with runner_containers(tmp_path, run_dir) as runner:
        container = await runner.create("true")
        handle = runner.containers.handle(container)
        await runner.deps.observe(handle, state=State.REMOVING)
        await runner.deps.snapshotter.remove(container)

    async with the_next_daemon(tmp_path, run_dir) as runner:
        assert runner.containers.list() == ()
        assert not (tmp_path / "containers" / container).exists()


async def test_running_out_of_memory_is_told(runner: RunnerContainers) -> None:
    container = await runner.create(
        "sh", "-c", "x=$(head -c 200000000 /dev/zero | tr '\\0' x)", memory=16 * 1024 * 1024
    )
    waiter = await runner.containers.wait(container, Condition.NEXT_EXIT)

    await runner.containers.start(container)
    async with asyncio.timeout(60):
        status = await waiter.result()

    assert status.code != 0
    assert status.oom_killed
    assert runner.containers.find(container).oom_killed


def reboot(run_dir: Path, container: str) -> None:
    """Do as a reboot does: nothing is mounted any more, and /run is empty."""
    unmount(run_dir / "r" / container)
    for child in run_dir.iterdir():
        shutil.rmtree(child)


async def ended(pid: int) -> None:
    """Wait until a process that is not our child has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop, gone = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, gone.set)
    try:
        async with asyncio.timeout(60):
            await gone.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


async def test_on_a_full_disk_containers_still_end_and_can_be_removed(
    runner: RunnerContainers, monkeypatch: pytest.MonkeyPatch
) -> None:
    container = await runner.start("sleep", "100")
    table = runner.deps.records.containers
    refuse, refusals = table.remove, [1, 1]

    async def put(*records: ContainerRecord) -> None:
        raise NotRecorded("database or disk is full")

    async def remove(*keys: str) -> None:
        if refusals:
            refusals.pop()
            raise NotRecorded("database or disk is full")
        await refuse(*keys)

    monkeypatch.setattr(table, "put", put)
    monkeypatch.setattr(table, "remove", remove)
    async with asyncio.timeout(60):
        await runner.containers.stop(container, timeout=0)
        ended = runner.containers.find(container)
        await runner.containers.remove(container)

    assert (ended.state, ended.exit_code) == (State.EXITED, 137)
    assert runner.containers.list() == ()
    assert table.all() == ()
