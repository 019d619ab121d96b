"""run, exec and their kin through the real command, the real daemon and real containers."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.runner.runners import Runner

pytestmark = pytest.mark.needs_root


def test_output_and_exit_code_are_the_containers(shared_runner: Runner) -> None:
    done = shared_runner.try_(
        "run", "--rm", "busybox", "sh", "-c", "echo out; echo err >&2; exit 7"
    )

    assert (done.stdout, done.stderr, done.returncode) == (b"out\n", b"err\n", 7)


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["run", "--rm", "busybox", "nonsense"], 127, "executable file not found"),
        (["run", "--rm", "busybox", "/etc"], 126, "permission denied"),
        (["run", "--rm", "--pull", "never", "nonsense"], 125, "Error: no such image: nonsense"),
        (["run", "--rm", "-v", "/a", "-v", "/b:/a:nonsense", "busybox"], 125, "unknown option"),
        (["run", "--log-opt", "max-sice=1m", "busybox"], 125, "unknown log opt 'max-sice'"),
        (["run", "--log-driver", "syslog", "busybox"], 125, "log driver 'syslog' is not offered"),
        (["run", "--nonsense", "busybox"], 2, "unrecognized arguments: --nonsense"),
        (["run"], 2, "required: IMAGE"),
        (["nonsense"], 2, "unknown command 'nonsense'"),
        (["rm", "nonsense"], 1, "Error: no such container: nonsense"),
        (["inspect", "nonsense"], 1, "Error: no such object: nonsense"),
        (["exec", "--detach-keys", "ctrl-oops", "x", "true"], 2, "invalid detach keys 'ctrl-oops'"),
        (["run", "--detach-keys", "ctrl-oops", "busybox"], 2, "invalid detach keys 'ctrl-oops'"),
        (["attach", "--detach-keys", "ctrl-oops", "x"], 2, "invalid detach keys 'ctrl-oops'"),
        (["exec", "nonsense", "true"], 1, "Error: no such container: nonsense"),
        (["ps", "--filter", "nonsense=1"], 1, "Error: invalid filter 'nonsense'"),
        (["ps", "--format", "{{.Nonsense"], 2, "template: an action is not closed"),
        (
            ["run", "--cpus", "99999", "busybox", "true"],
            125,
            "Error: range of CPUs is from 0.01 to ",
        ),
        (["rmi", "nonsense"], 1, "Error: no such image: nonsense"),
        (["volume", "rm", "nonsense"], 1, "no such volume"),
        (["volume", "nonsense"], 2, "unknown command 'volume nonsense'"),
        (["tag", "busybox", "UPPER"], 1, "invalid repository name 'UPPER'"),
        (["import", "/nonsense"], 1, "Error: /nonsense: No such file or directory"),
        (["login", "-u", "me", "127.0.0.1:1"], 2, "use --username and --password-stdin"),
    ],
)
def test_a_refusal_is_one_line_and_a_code(
    shared_runner: Runner, words: list[str], code: int, sentence: str
) -> None:
    done = shared_runner.try_(*words)

    said = done.stderr.decode().splitlines()
    assert done.returncode == code
    assert sentence in said[0]
    assert len(said) <= 2
    assert "Traceback" not in done.stderr.decode()


def test_stdin_reaches_the_container_and_its_end_too(shared_runner: Runner) -> None:
    content = os.urandom(1_000_000).hex().encode()

    done = shared_runner.try_("run", "--rm", "-i", "busybox", "cat", stdin=content)

    assert done.stdout == content


def test_the_flags_shape_the_process(shared_runner: Runner) -> None:
    script = "id -u; id -g; pwd; hostname; echo $A; touch /x 2>&1 | head -c 8"

    said = shared_runner(
        *("run", "--rm", "-u", "1000:50", "-w", "/tmp", "--hostname", "box", "-e", "A=b"),  # noqa: S108 - in the container
        *("--read-only", "busybox", "sh", "-c", script),
    )

    assert said.splitlines() == ["1000", "50", "/tmp", "box", "b", "touch: /"]  # noqa: S108 - in the container


def test_binds_and_volumes_keep_and_the_rest_is_gone(shared_runner: Runner, tmp_path: Path) -> None:
    shared_runner("volume", "create", "kept")
    script = "echo b >/bind/f; echo v >/volume/f; echo t >/scratch/f; echo r >/f"
    mounts = ["-v", f"{tmp_path}:/bind", "-v", "kept:/volume", "--tmpfs", "/scratch"]
    shared_runner("run", "--rm", *mounts, "busybox", "sh", "-c", script)

    said = shared_runner(
        *("run", "--rm", *mounts, "busybox", "sh", "-c"),
        "cat /bind/f /volume/f; ls /f /scratch/f 2>/dev/null; echo end",
    )

    assert said == "b\nv\nend\n"
    assert (tmp_path / "f").read_text() == "b\n"
    shared_runner("volume", "rm", "kept")


def test_a_signal_to_the_command_is_passed_on(shared_runner: Runner) -> None:
    script = "trap 'echo caught; exit 9' USR1; echo ready; while :; do sleep 0.05; done"
    command = subprocess.Popen(  # noqa: S603  (a fixed command of the test's own)
        shared_runner.argv("run", "--rm", "busybox", "sh", "-c", script), stdout=subprocess.PIPE
    )
    assert command.stdout is not None
    assert command.stdout.readline() == b"ready\n"

    command.send_signal(signal.SIGUSR1)

    assert command.stdout.read() == b"caught\n"
    assert command.wait(60) == 9
    command.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_third_signal_ends_a_command_whose_container_does_not(
    shared_runner: Runner, number: signal.Signals
) -> None:
    script = "trap 'echo caught' INT TERM; echo ready; while :; do sleep 0.05; done"
    command = subprocess.Popen(  # noqa: S603  (a fixed command of the test's own)
        shared_runner.argv("run", "--name", "stubborn", "busybox", "sh", "-c", script),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert command.stdout is not None
    assert command.stderr is not None
    assert command.stdout.readline() == b"ready\n"

    for _ in range(2):
        command.send_signal(number)
        assert command.stdout.readline() == b"caught\n"
    command.send_signal(number)

    assert command.communicate(timeout=60) == (
        b"",
        b"\ngot 3 SIGTERM/SIGINTs, forcefully exiting\n",
    )
    assert command.returncode == 1
    assert shared_runner("ps", "--format", "{{.Names}}") == "stubborn\n"
    shared_runner("rm", "-f", "stubborn")


def test_an_attached_container_is_removed_before_the_command_returns(
    shared_runner: Runner,
) -> None:
    shared_runner("run", "--rm", "--name", "brief", "busybox", "true")

    assert shared_runner("run", "--rm", "--name", "brief", "busybox", "echo", "again") == "again\n"


def test_killing_the_daemon_leaves_containers_running(own_runner: Runner) -> None:
    script = "echo before; while [ ! -e /go ]; do sleep 0.05; done; echo after; exit 6"
    own_runner("run", "-d", "--name", "survivor", "busybox", "sh", "-c", script)
    own_runner("run", "-d", "--name", "ends", "busybox", "sleep", "600")
    pids = own_runner("inspect", "-f", "{{.State.Pid}}", "survivor", "ends")
    pid, ends = map(int, pids.split())

    own_runner.kill()
    os.kill(pid, 0)
    os.kill(ends, signal.SIGKILL)
    _until(lambda: not Path(f"/proc/{ends}").exists())
    own_runner.start()

    assert own_runner("inspect", "-f", "{{.State.Status}} {{.State.Pid}}", "survivor") == (
        f"running {pid}\n"
    )
    assert own_runner("wait", "ends") == "137\n"
    own_runner("exec", "survivor", "touch", "/go")
    assert own_runner("wait", "survivor") == "6\n"
    assert own_runner("logs", "survivor") == "before\nafter\n"


def test_input_that_nobody_reads_costs_no_output_and_no_exit_code(shared_runner: Runner) -> None:
    script = "echo answer; exit 5"

    done = shared_runner.try_(
        "run", "--rm", "-i", "busybox", "sh", "-c", script, stdin=bytes(3_000_000)
    )

    assert (done.stdout, done.returncode) == (b"answer\n", 5)


def test_stopping_the_daemon_leaves_containers_running(own_runner: Runner) -> None:
    own_runner("run", "-d", "--name", "survivor", "busybox", "sleep", "60")

    assert own_runner.stop() == 0
    assert not own_runner.socket.exists()
    own_runner.start()

    assert own_runner("ps", "--format", "{{.Names}}") == "survivor\n"


def _until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
