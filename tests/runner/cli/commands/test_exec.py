"""exec through the real command: streams and a code of its own."""

import pytest

from tests.support.runner.runners import Runner

pytestmark = pytest.mark.needs_root


def test_exec_has_its_own_streams_and_code(shared_runner: Runner) -> None:
    shared_runner("run", "-d", "--name", "host", "-e", "A=b", "busybox", "sleep", "60")

    done = shared_runner.try_(
        *("exec", "-i", "-w", "/etc", "-u", "1000", "host"),
        *("sh", "-c", "pwd; echo $A; id -u; cat; exit 5"),
        stdin=b"in\n",
    )

    assert (done.stdout, done.returncode) == (b"/etc\nb\n1000\nin\n", 5)
    assert shared_runner.try_("exec", "host", "nonsense").returncode == 127
    shared_runner("rm", "-f", "host")


def test_much_goes_both_ways_at_once(shared_runner: Runner) -> None:
    shared_runner("run", "-d", "--name", "echoes", "busybox", "sleep", "60")
    script = "head -c 8000000 /dev/zero; wc -c"

    done = shared_runner.try_("exec", "-i", "echoes", "sh", "-c", script, stdin=bytes(4_000_000))

    assert (len(done.stdout), done.stdout[-8:], done.returncode) == (8_000_008, b"4000000\n", 0)
    shared_runner("rm", "-f", "echoes")
