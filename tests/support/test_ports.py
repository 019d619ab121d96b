"""Ports that no two processes of tests share."""

import socket
import subprocess
import sys
from pathlib import Path

from tests.support.ports import BLOCK, free_port

ASK = "from tests.support.ports import free_port; print(free_port())"


def test_two_processes_never_share_a_block() -> None:
    ours = free_port()

    theirs = subprocess.run(  # noqa: S603  (a fixed command of the test's own)
        [sys.executable, "-c", ASK], cwd=Path.cwd(), capture_output=True, text=True, check=True
    )

    assert int(theirs.stdout) // BLOCK != ours // BLOCK


def test_a_port_that_is_in_use_is_passed_over() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", free_port()))
        taken = listener.getsockname()[1]

        given = [free_port() for _ in range(2 * BLOCK - 2)]

    assert taken not in given
    assert len(set(given)) < BLOCK
