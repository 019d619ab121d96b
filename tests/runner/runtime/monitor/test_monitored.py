"""Containers that outlive their daemon: adopted by the next one."""

import asyncio
import os
import select
import signal
import sys
from dataclasses import replace

import pytest

from runner.runtime.errors import (
    NotRunning,
)
from tests.runner.runtime.conftest import Engine
from tests.support.processes import needs_program

pytestmark = pytest.mark.needs_root


async def test_without_its_monitor_the_end_is_seen_but_not_the_code(engine: Engine) -> None:
    box = await engine.run("sleep", "60")
    conmon = os.pidfd_open(int((box.launch.bundle / "conmon.pid").read_text()))
    signal.pidfd_send_signal(conmon, signal.SIGKILL)
    await asyncio.to_thread(select.select, [conmon], [], [])
    os.close(conmon)
    assert box.monitored.pid > 0

    adopted = await engine.monitor.adopt(box.launch)
    adopted.signal(signal.SIGKILL)
    status = await adopted.wait()

    assert status.code == 255
    assert "monitor was killed" in status.error
    assert (await box.wait()).code == 255
    adopted.close()


async def test_a_pid_that_belongs_to_a_stranger_is_not_adopted(engine: Engine) -> None:
    box = await engine.create("sleep", "60")
    stranger = str(os.getpid())
    bundle = engine.run_dir / "b" / "stranger"
    bundle.mkdir()
    (bundle / "conmon.pid").write_text(stranger)
    (bundle / "pidfile").write_text(stranger)

    adopted = await engine.monitor.adopt(replace(box.launch, id="f" * 64, bundle=bundle))

    assert adopted.pid == 0
    assert (await adopted.wait()).code == 255
    with pytest.raises(NotRunning):
        adopted.signal(signal.SIGTERM)
    adopted.close()


DAEMON = """
import asyncio, json, os, sys
from pathlib import Path
from runner.linux.cgroups import detect
from runner.runtime.monitor.conmon import Conmon
from runner.runtime.runc import Runc
from runner.runtime.contract import Launch

async def main(runc, conmon, run_dir, id_):
    run_dir = Path(run_dir)
    monitor = Conmon(conmon, runc, run_dir / "r", run_dir / "x", detect())
    launch = Launch(id_, run_dir / "b" / id_, run_dir / "log")
    await monitor.create(launch)
    await Runc(runc, run_dir / "r").start(id_)
    print("started", flush=True)
    await asyncio.sleep(60)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_container_outlives_a_daemon_that_was_killed(engine: Engine) -> None:
    box = await engine.create("sh", "-c", "sleep 1; echo alive; exit 4")
    await engine.runtime.delete(box.id, force=True)
    (box.launch.bundle / "conmon.pid").unlink()
    program = (needs_program("runc"), "/usr/bin/conmon", str(engine.run_dir), box.id)
    daemon = await asyncio.create_subprocess_exec(
        sys.executable, "-c", DAEMON, *program, stdout=asyncio.subprocess.PIPE
    )
    assert daemon.stdout is not None
    assert await daemon.stdout.readline() == b"started\n"

    daemon.kill()
    await daemon.communicate()
    launch = replace(box.launch, log=engine.run_dir / "log")
    adopted = await engine.monitor.adopt(launch)
    alive = adopted.pid
    status = await adopted.wait()

    assert alive > 0
    assert status.code == 4
    assert b" stdout F alive\n" in launch.log.read_bytes()
    adopted.close()
