"""A daemon killed at every step of a container's life: the next one leaves nothing of it."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from runner.services.containers import starting
from runner.services.containers.lifecycle import State
from tests.support.runner.runner_containers import (
    RunnerContainers,
    leftovers,
    remove_all,
    runner_containers,
)

pytestmark = [pytest.mark.needs_root, pytest.mark.takes(12)]

REPOSITORY = Path(__file__).parents[3]

SERVICES = "runner.services"
PLACES = (
    f"after {SERVICES}.containers.mount_points:resolve_mounts",
    "after runner.storage.snapshots.overlay:OverlaySnapshotter.prepare",
    f"before {SERVICES}.volumes.volumes:copy_tree",
    f"before {SERVICES}.containers.dependencies:ContainerDeps.save",
    f"before {SERVICES}.volumes.volumes:Volumes.keep",
    *(f"{when} {step.name}" for step in starting.STEPS for when in ("before", "after")),
    f"before {SERVICES}.containers.starting:bundle.write_bundle",
    "before runner.runtime.monitor.conmon:_read_line",
    "before runner.runtime.runc:Runc.start",
    "after runner.runtime.runc:Runc.start",
    f"before {SERVICES}.containers.supervisor:Supervisor.handle_exit",
    f"before {SERVICES}.containers.supervisor:release",
    f"after {SERVICES}.containers.supervisor:release",
    f"before {SERVICES}.containers.removal:remove",
    "after runner.storage.snapshots.overlay:OverlaySnapshotter.remove",
    f"before {SERVICES}.containers.removal:remove_volumes",
    f"before {SERVICES}.containers.mount_points:Volumes.remove",
)


@pytest.mark.parametrize("place", PLACES)
async def test_nothing_is_left_of_a_daemon_killed(
    tmp_path: Path, run_dir: Path, place: str
) -> None:
    killed = await asyncio.create_subprocess_exec(
        *(
            sys.executable,
            "-m",
            "tests.support.runner.killed_daemon",
            str(tmp_path),
            str(run_dir),
            place,
        ),
        cwd=REPOSITORY,
    )
    assert await killed.wait() == -signal.SIGKILL

    async with runner_containers(tmp_path, run_dir) as runner:
        async with asyncio.timeout(60):
            await settled(runner)
        assert [one for one in leftovers(runner) if one.startswith(("b/", "r/", "exits/"))] == []
        assert str(run_dir) not in mounts()
        assert not monitors(run_dir)

        await remove_all(runner)

        assert leftovers(runner) == []
        assert runner.volumes.list() == ()
        assert not (run_dir / "runc").exists() or os.listdir(run_dir / "runc") == []


async def settled(runner: RunnerContainers) -> None:
    """Until what is there is whole: a container that was never started, and its volume."""
    whole = is_whole(runner)
    while not whole:
        # It happens in tasks of the service's own.
        await asyncio.sleep(0.01)
        whole = is_whole(runner)


def is_whole(runner: RunnerContainers) -> bool:
    found = runner.containers.list()
    volumes = {volume.name for volume in runner.volumes.list()}
    return all(one.state is State.CREATED for one in found) and volumes == {
        mount.volume for one in found for mount in one.mounts
    }


def mounts() -> str:
    return Path("/proc/self/mounts").read_text()


def monitors(run_dir: Path) -> list[str]:
    """Every process of this run directory, by its command line."""
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = process.read_bytes()
        except OSError:
            continue
        if str(run_dir).encode() + b"/b/" in words:
            found.append(words.decode(errors="replace"))
    return found
