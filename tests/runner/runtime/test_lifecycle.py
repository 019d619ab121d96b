"""Containers from create to delete, under real runc and conmon."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runner.runtime.contract import Frame, StdStream, Streams
from runner.runtime.errors import (
    CommandNotExecutable,
    CommandNotFound,
    RuntimeRefused,
)
from runner.runtime.monitor.attach_socket import AttachSocket
from runner.runtime.monitor.conmon import MONITORS_GROUP
from runner.runtime.oci_spec.users import User
from tests.runner.runtime.conftest import Engine

pytestmark = pytest.mark.needs_root


# Says a terminal's size at first and whenever it changes.
SAY_SIZE = "trap 'stty size' WINCH; stty size; while sleep 0.05; do :; done"


async def collected(streams: Streams) -> dict[StdStream, bytes]:
    found = {StdStream.STDOUT: b"", StdStream.STDERR: b""}
    async for frame in streams.frames():
        found[frame.stream] += frame.content
    return found


async def until(frames: AsyncIterator[Frame], text: bytes) -> bytes:
    """Read until the text has been seen."""
    seen = b""
    async with asyncio.timeout(60):
        async for frame in frames:
            seen += frame.content
            if text in seen:
                return seen
    raise AssertionError(f"the output ended with {seen!r}")


def of_process(pid: int, name: str) -> str:
    return Path(f"/proc/{pid}/{name}").read_text(encoding="utf-8")


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137)])
async def test_a_container_ends_with_its_own_code(engine: Engine, script: str, code: int) -> None:
    # As a child of the first process, which signals of its own namespace cannot end.
    command = script if code < 128 else f"sh -c '{script}'; exit $?"

    box = await engine.run("sh", "-c", command)

    status = await box.wait()
    assert (status.code, status.oom_killed, status.error) == (code, False, "")
    assert abs(status.finished_at.timestamp() - time.time()) < 60


async def test_too_much_memory_is_an_oom_kill(engine: Engine) -> None:
    script = "dd if=/dev/zero of=/dev/null bs=64M count=1"

    box = await engine.run("sh", "-c", script, memory=16 << 20)

    status = await box.wait()
    assert (status.code, status.oom_killed) == (137, True)


@pytest.mark.parametrize(
    ("program", "refusal", "words"),
    [
        ("nosuch", CommandNotFound, 'exec: "nosuch": executable file not found in $PATH'),
        ("/bin/nosuch", CommandNotFound, 'exec: "/bin/nosuch": stat /bin/nosuch: no such file'),
        ("/data.txt", CommandNotExecutable, 'exec: "/data.txt": permission denied'),
        ("/etc", CommandNotExecutable, 'exec: "/etc": permission denied'),
    ],
)
async def test_a_program_that_cannot_run_is_refused_in_one_sentence(
    engine: Engine, program: str, refusal: type[RuntimeRefused], words: str
) -> None:
    with pytest.raises(refusal) as refused:
        await engine.create(program)

    assert str(refused.value).startswith(words)
    assert "\n" not in str(refused.value)
    assert list((engine.run_dir / "r").iterdir()) == []


async def test_a_client_that_does_not_read_holds_up_nobody(engine: Engine) -> None:
    box = await engine.create("sh", "-c", "head -c 30000000 /dev/zero; exit 3")
    idle = await box.monitored.attach()
    await engine.runtime.start(box.id)

    async with asyncio.timeout(60):
        status = await box.wait()

    assert status.code == 3
    await idle.aclose()


async def test_the_user_and_the_environment_are_the_containers(engine: Engine) -> None:
    box = await engine.run(
        "sh", "-c", "id; echo $HOME $HOSTNAME $WORD; pwd", user=User(1000, 1000, (1000, 2000)),
        env=("WORD=said",), working_dir="/work",
    )  # fmt: skip

    await box.wait()

    assert await box.output() == ("uid=1000 gid=1000 groups=1000,2000\n/work box said\n/work\n")


async def test_a_read_only_root_refuses_writes_and_its_tmpfs_does_not(engine: Engine) -> None:
    box = await engine.run(
        "sh", "-c", "echo x > /etc/x; echo x > /dev/shm/x && echo x > /etc/hosts || echo kept",
        read_only=True,
    )  # fmt: skip

    await box.wait()

    assert await box.output() == "kept\n"
    assert (await box.output(StdStream.STDERR)).count("Read-only file system") == 2


async def test_limits_are_in_force(engine: Engine) -> None:
    box = await engine.run("sleep", "60", memory=32 << 20, pids_limit=17, nano_cpus=500_000_000)

    def limit(controller: str, legacy: str, unified: str) -> list[str]:
        places = engine.host.cgroups.hierarchies
        name = legacy if controller in places else unified
        place = places.get(controller) or places[""]
        return (place / "slipway-test" / box.id / name).read_text().split()

    assert limit("memory", "memory.limit_in_bytes", "memory.max") == [str(32 << 20)]
    assert limit("pids", "pids.max", "pids.max") == ["17"]
    assert limit("cpu", "cpu.cfs_quota_us", "cpu.max")[0] == "50000"


async def test_the_monitor_is_in_a_group_of_its_own(engine: Engine) -> None:
    box = await engine.run("sleep", "60")

    monitor = int((box.launch.bundle / "conmon.pid").read_text())
    groups = of_process(monitor, "cgroup")

    assert f":{MONITORS_GROUP}\n" in groups
    assert of_process(monitor, "comm") == "conmon\n"


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


async def test_a_reader_far_behind_is_cut_off() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    client = AttachSocket(ours, max_backlog_bytes=1000)

    for _ in range(3):
        theirs.send(b"\x02" + b"x" * 600)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    received = [frame async for frame in client.frames()]

    assert received == [Frame(StdStream.STDOUT, b"x" * 600)] * 2
    await client.aclose()
    theirs.close()
