"""Conmon: in a cgroup of its own."""

import asyncio
from pathlib import Path

import pytest

from runner.runtime.monitor.conmon import MONITORS_GROUP
from tests.runner.runtime.conftest import Engine

pytestmark = pytest.mark.needs_root


def of_process(pid: int, name: str) -> str:
    return Path(f"/proc/{pid}/{name}").read_text(encoding="utf-8")


async def test_a_client_that_does_not_read_holds_up_nobody(engine: Engine) -> None:
    box = await engine.create("sh", "-c", "head -c 30000000 /dev/zero; exit 3")
    idle = await box.monitored.attach()
    await engine.runtime.start(box.id)

    async with asyncio.timeout(60):
        status = await box.wait()

    assert status.code == 3
    await idle.aclose()


async def test_the_monitor_is_in_a_group_of_its_own(engine: Engine) -> None:
    box = await engine.run("sleep", "60")

    monitor = int((box.launch.bundle / "conmon.pid").read_text())
    groups = of_process(monitor, "cgroup")

    assert f":{MONITORS_GROUP}\n" in groups
    assert of_process(monitor, "comm") == "conmon\n"
