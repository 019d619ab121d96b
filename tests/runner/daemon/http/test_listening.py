"""The daemon's socket: who may use it, and whose it is."""

import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.daemon.http.listening import CannotListen, listen
from runner.errors import Conflict


@pytest.fixture
def directory() -> Iterator[Path]:
    # pytest's own directories are too long for a socket's address.
    with tempfile.TemporaryDirectory(prefix="slip") as path:
        yield Path(path)


def test_the_socket_is_for_its_owner_and_group_only(directory: Path) -> None:
    before = os.umask(0)
    try:
        with listen(directory / "run" / "s"):
            mode = stat.S_IMODE((directory / "run" / "s").stat().st_mode)
            above = stat.S_IMODE((directory / "run").stat().st_mode)
    finally:
        os.umask(before)

    assert (oct(mode), oct(above)) == ("0o660", "0o755")


def test_a_dead_daemons_socket_is_replaced(directory: Path) -> None:
    listen(directory / "s").close()

    with listen(directory / "s"), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(directory / "s"))


def test_a_socket_that_answers_is_anothers(directory: Path) -> None:
    with listen(directory / "s"), pytest.raises(Conflict, match="another daemon answers"):
        listen(directory / "s")


def test_a_file_of_somebody_is_left_alone(directory: Path) -> None:
    (directory / "s").write_text("precious")

    with pytest.raises(CannotListen, match="it is not a socket"):
        listen(directory / "s")
    assert (directory / "s").read_text() == "precious"


def test_a_group_that_does_not_exist_is_said(directory: Path) -> None:
    with pytest.raises(CannotListen, match="there is no group 'nonsense'"):
        listen(directory / "s", "nonsense")
