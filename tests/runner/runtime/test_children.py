"""Child processes: their output, their end, and the end of their descendants."""

import asyncio
import os
import signal

import pytest

from runner.linux.processes import reap
from runner.runtime.children import Child, finish, run
from runner.runtime.errors import RuntimeTimedOut


async def test_a_child_has_its_code_output_and_errors() -> None:
    found = await run(["/bin/sh", "-c", "echo out; printf 'err\\377' >&2; exit 3"])

    assert (found.code, found.output, found.errors) == (3, b"out\n", "err\N{REPLACEMENT CHARACTER}")


async def test_a_signal_is_a_negative_code() -> None:
    assert (await run(["/bin/sh", "-c", "kill -9 $$"])).code == -9


async def test_a_child_has_nothing_of_the_daemons(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "of the daemon")
    inherited = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(inherited, True)
    before = os.umask(0o077)
    try:
        script = """
            echo "$SECRET $(pwd) $(umask)"
            echo /proc/self/fd/*
            cut -d" " -f6 /proc/$$/stat
            echo $$
        """
        lines = (await run(["/bin/sh", "-c", script])).output.decode().splitlines()
    finally:
        os.umask(before)
        os.close(inherited)

    assert lines[0] == " / 0022"
    assert f"/proc/self/fd/{inherited}" not in lines[1].split()
    assert lines[2].strip() == lines[3]


async def test_several_wait_for_one_child_and_a_late_signal_is_no_error() -> None:
    child = Child(["/bin/sh", "-c", "exit 5"])

    assert list(await asyncio.gather(child.wait(), child.wait())) == [5, 5]
    child.signal(signal.SIGTERM)
    assert await child.wait() == 5


async def test_a_cancelled_wait_leaves_the_child_to_the_others() -> None:
    read, write = os.pipe()
    child = Child(["/bin/sh", "-c", "read line; exit 7"], stdin=read)
    os.close(read)
    waiting = asyncio.create_task(child.wait())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    os.close(write)

    assert await child.wait() == 7


async def held_pipe() -> tuple[Child, int]:
    """A child with a descendant, both of which hold the write end of a pipe."""
    read, write = os.pipe()
    child = Child(["/bin/sh", "-c", "sleep 1000 & echo ready; wait"], stdout=write)
    os.close(write)
    assert await asyncio.to_thread(os.read, read, 100) == b"ready\n"
    return child, read


async def test_a_child_that_takes_too_long_is_killed_with_its_descendants() -> None:
    child, read = await held_pipe()

    with pytest.raises(RuntimeTimedOut, match="runc"):
        await finish(child, "runc", 0)

    # The end of the pipe: nobody holds it any more.
    async with asyncio.timeout(60):
        assert await asyncio.to_thread(os.read, read, 1) == b""
        assert await child.wait() == -signal.SIGKILL
    os.close(read)


async def test_a_killed_child_has_the_code_of_its_signal_whoever_reaps_it() -> None:
    child = Child(["/bin/sleep", "1000"])
    pidfd = os.pidfd_open(child.pid)
    child.signal(signal.SIGKILL)
    # As the callback of kill_tree does, if it comes first.
    while reap(pidfd) is None:
        os.sched_yield()
    os.close(pidfd)

    async with asyncio.timeout(60):
        assert await child.wait() == -signal.SIGKILL


async def test_a_cancelled_command_is_killed_with_its_descendants() -> None:
    child, read = await held_pipe()
    finishing = asyncio.create_task(finish(child, "runc", 60))
    await asyncio.sleep(0)
    finishing.cancel()

    with pytest.raises(asyncio.CancelledError):
        await finishing
    async with asyncio.timeout(60):
        assert await asyncio.to_thread(os.read, read, 1) == b""
        await child.wait()
    os.close(read)
