"""The times of logs and events, in the forms that clients write."""

import time

import pytest

from runner.cli.commands.logs import resolve_duration
from tests.support.runner.runners import Runner


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10m", 600),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("2h0m0.5s", 7200.5),
        (".5h", 1800),
        ("2d", 172800),
        ("250ms", 0.25),
        ("1500000us", 1.5),
    ],
)
def test_a_duration_counts_back_from_now(
    text: str, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_000_000.0)

    assert resolve_duration(text) == f"{1_000_000 - seconds:.9f}"


@pytest.mark.parametrize("text", ["", None, "0", "1577836800.5", "2020-01-01", "1.2.3h", "h", "1x"])
def test_anything_else_is_left_to_the_daemon(text: str | None) -> None:
    assert resolve_duration(text) == text


pytestmark = pytest.mark.needs_root


def test_logs_follow_until_the_end(shared_runner: Runner) -> None:
    script = "for i in 1 2 3; do echo $i; sleep 0.1; done"
    shared_runner("run", "-d", "--name", "counting", "busybox", "sh", "-c", script)

    assert shared_runner("logs", "-f", "counting") == "1\n2\n3\n"

    assert shared_runner("logs", "--tail", "1", "counting") == "3\n"
    shared_runner("rm", "-f", "counting")
