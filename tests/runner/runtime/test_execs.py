"""Processes beside a container's first one, under real runc."""

import os
import signal
from pathlib import Path

import pytest

from runner.runtime.contract import StdStream
from tests.runner.runtime.conftest import Engine
from tests.support.runner.streams import collected, until

pytestmark = pytest.mark.needs_root
# Says a terminal's size at first and whenever it changes.
SAY_SIZE = "trap 'stty size' WINCH; stty size; while sleep 0.05; do :; done"


def of_process(pid: int, name: str) -> str:
    return Path(f"/proc/{pid}/{name}").read_text(encoding="utf-8")


@pytest.mark.parametrize(("program", "code"), [("nosuch", 127), ("/data.txt", 126)])
async def test_an_exec_that_cannot_run_says_so(engine: Engine, program: str, code: int) -> None:
    box = await engine.run("sleep", "60")

    running = await engine.runtime.exec(box.id, {**box.spec["process"], "args": [program]})
    found = await collected(running)

    assert await running.wait() == code
    assert f'exec: "{program}"' in found[StdStream.STDERR].decode()
    await running.aclose()


async def test_an_exec_on_a_terminal_is_resized(engine: Engine) -> None:
    box = await engine.run("sleep", "60")
    process = {
        **box.spec["process"],
        "terminal": True,
        "consoleSize": {"height": 20, "width": 70},
        "args": ["sh", "-c", SAY_SIZE],
    }
    running = await engine.runtime.exec(box.id, process, open_stdin=True)
    frames = running.frames()
    await until(frames, b"20 70")

    assert of_process(running.pid, "comm") == "sh\n"
    running.resize(55, 140)
    await until(frames, b"55 140")

    os.kill(running.pid, signal.SIGKILL)
    assert await running.wait() == 128 + signal.SIGKILL
    await running.aclose()
