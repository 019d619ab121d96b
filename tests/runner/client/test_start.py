"""Start the daemon: what its log says when it does not come to listen."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.client import DaemonUnreachable, start
from tests.support.runner.runner_containers import a_run_dir


@pytest.fixture
def path() -> Iterator[Path]:
    with a_run_dir() as directory:
        yield directory / "s"


def ending_with(monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    """A daemon that writes to its log and ends; others write there too."""

    def spawn(path: str, output: int, told: int) -> None:
        with open(output, "wb", closefd=False) as log:
            log.write(said)

    monkeypatch.setattr(start, "_spawn", spawn)


def test_the_daemon_that_was_first_is_found_whoever_wrote_last(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ending_with(monkeypatch, b"Error: another daemon has this root\nINFO: listening\n")
    with socket.socket(socket.AF_UNIX) as first:
        first.bind(str(path))
        first.listen()

        start.start_daemon(str(path))

        first.setblocking(False)
        asked, _ = first.accept()
        asked.close()


def test_a_daemon_that_ends_says_why(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ending_with(monkeypatch, b"Error: runtime: no runc here\nINFO: somebody else's\n")

    with pytest.raises(DaemonUnreachable, match=r"and ended: Error: runtime: no runc here$"):
        start.start_daemon(str(path))
