"""Trees of processes: ended whole, and collected."""

import asyncio
import os
import select
import subprocess

from runner.linux.processes import become_subreaper, kill_tree, reap


async def test_a_tree_is_killed_with_all_its_branches() -> None:
    script = "sh -c 'sleep 1000 & echo $!; sleep 1000' & wait"
    shell = await asyncio.create_subprocess_exec("sh", "-c", script, stdout=subprocess.PIPE)
    assert shell.stdout is not None
    pidfd = os.pidfd_open(int(await shell.stdout.readline()))

    kill_tree(shell.pid, 0)

    await shell.wait()
    ready, _, _ = await asyncio.to_thread(select.select, [pidfd], [], [], 20)
    assert ready == [pidfd]
    os.close(pidfd)


def test_an_orphan_is_collected_with_its_exit_code() -> None:
    become_subreaper()
    waits, ends = os.pipe()
    script = "exec 3<&0; (read x <&3; exit 7) >/dev/null 2>&1 & echo $!"
    said = subprocess.run(["sh", "-c", script], capture_output=True, check=True, stdin=waits)  # noqa: S603, S607  (a test's own)
    pidfd = os.pidfd_open(int(said.stdout))

    assert reap(pidfd) is None
    os.close(ends)
    select.select([pidfd], [], [], 20)

    assert reap(pidfd) == 7
    assert reap(pidfd) is None
    os.close(pidfd)
    os.close(waits)
