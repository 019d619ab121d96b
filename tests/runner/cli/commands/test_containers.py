"""create, start, stop, pause, rename, rm through the real command."""

import time
from collections.abc import Callable

import pytest

from tests.support.runner.runners import Runner

pytestmark = pytest.mark.needs_root


def test_a_detached_container_lives_until_it_is_stopped(shared_runner: Runner) -> None:
    script = "trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.05; done"
    container = shared_runner("run", "-d", "--name", "life", "busybox", "sh", "-c", script).strip()
    _until(lambda: shared_runner("logs", "life") == "up\n")

    assert shared_runner("ps", "-q", "--no-trunc", "--filter", "name=life").strip() == container
    assert shared_runner("stop", "life") == "life\n"

    assert shared_runner("wait", "life") == "3\n"
    assert shared_runner("logs", "life") == "up\nbye\n"
    assert shared_runner("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "life") == (
        "exited 3\n"
    )
    assert shared_runner("rm", "life") == "life\n"
    assert shared_runner("ps", "-aq", "--filter", "name=life") == ""


def test_names_are_taken_once_and_change(shared_runner: Runner) -> None:
    shared_runner("create", "--name", "first", "busybox")

    refused = shared_runner.try_("create", "--name", "first", "busybox")
    shared_runner("rename", "first", "second")

    assert refused.returncode == 1
    assert b'The container name "first" is already in use' in refused.stderr.replace(b"the", b"The")
    assert shared_runner("ps", "-a", "--format", "{{.Names}}", "--filter", "name=^/second$") == (
        "second\n"
    )
    assert shared_runner("rm", "second") == "second\n"


def test_start_attached_gives_the_output_again(shared_runner: Runner) -> None:
    shared_runner("create", "--name", "twice", "busybox", "sh", "-c", "echo once more; exit 4")

    done = [shared_runner.try_("start", "-a", "twice") for _ in range(2)]

    assert [(one.stdout, one.returncode) for one in done] == [(b"once more\n", 4)] * 2
    shared_runner("rm", "twice")


def test_pausing_holds_a_container_still(shared_runner: Runner) -> None:
    shared_runner("run", "-d", "--name", "still", "busybox", "sleep", "60")

    shared_runner("pause", "still")
    paused = shared_runner("ps", "--filter", "name=still", "--format", "{{.Status}}")
    shared_runner("unpause", "still")

    assert "(Paused)" in paused
    assert shared_runner("inspect", "-f", "{{.State.Paused}}", "still") == "false\n"
    shared_runner("rm", "-f", "still")


def _until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
