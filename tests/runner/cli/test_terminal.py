"""run -it and exec -it on a real terminal: raw keys, window sizes, leaving without ending."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time

import pytest

from tests.support.runner.runners import Runner

pytestmark = pytest.mark.needs_root


class Terminal:
    """A command on a terminal of its own: what a person sees and types."""

    def __init__(self, argv: list[str], size: tuple[int, int] = (30, 100)) -> None:
        self._ours, theirs = pty.openpty()
        self.resize(*size)
        self.process = subprocess.Popen(  # noqa: S603  (a fixed command of the test's own)
            argv, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
        )
        os.close(theirs)
        self.seen = b""

    def resize(self, lines: int, columns: int) -> None:
        size = struct.pack("HHHH", lines, columns, 0, 0)
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, size)

    def type(self, keys: bytes) -> None:
        os.write(self._ours, keys)

    def expect(self, text: bytes, seconds: float = 60) -> None:
        """Wait until this text has appeared after what was expected before."""
        deadline = time.monotonic() + seconds
        while text not in self.seen:
            ready, _, _ = select.select([self._ours], [], [], deadline - time.monotonic())
            assert ready, f"{text!r} did not appear, only {self.seen!r}"
            try:
                self.seen += os.read(self._ours, 4096)
            except OSError:
                pytest.fail(f"the terminal was closed before {text!r}, after {self.seen!r}")
        self.seen = self.seen.partition(text)[2]

    def close(self) -> None:
        os.close(self._ours)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def test_a_shell_on_a_terminal(shared_runner: Runner) -> None:
    terminal = Terminal(shared_runner.argv("run", "--rm", "-it", "busybox", "sh"))
    try:
        terminal.expect(b"# ")
        terminal.type(b"stty size\r")
        terminal.expect(b"30 100\r\n")
        terminal.resize(40, 132)
        os.kill(terminal.process.pid, signal.SIGWINCH)
        _size_becomes(terminal, b"40 132\r\n")
        # By when it speaks it is the terminal's foreground, and hears ctrl-C; the shell that is
        # about to make it does not.
        terminal.type(b"sh -c \"echo a''sleep; exec sleep 100\"\r")
        terminal.expect(b"\nasleep\r\n")
        terminal.type(b"\x03")
        terminal.expect(b"# ")
        terminal.type(b"exit 12\r")

        assert terminal.process.wait(60) == 12
    finally:
        terminal.close()


def test_the_detach_keys_leave_the_container_running(shared_runner: Runner) -> None:
    terminal = Terminal(shared_runner.argv("run", "-it", "--name", "left", "busybox", "sh"))
    try:
        terminal.expect(b"# ")
        terminal.type(b"\x10\x11")

        assert terminal.process.wait(60) == 0
        assert shared_runner("ps", "--format", "{{.Names}}", "--filter", "name=left") == "left\n"
    finally:
        terminal.close()
    again = Terminal(shared_runner.argv("attach", "left"))
    try:
        again.type(b"exit 3\r")
        assert again.process.wait(60) == 3
    finally:
        again.close()
    shared_runner("rm", "-f", "left")


def test_exec_on_a_terminal_has_its_size(shared_runner: Runner) -> None:
    shared_runner("run", "-d", "--name", "screen", "busybox", "sleep", "60")
    terminal = Terminal(shared_runner.argv("exec", "-it", "screen", "sh"), (33, 77))
    try:
        terminal.expect(b"# ")
        _size_becomes(terminal, b"33 77\r\n")
        terminal.type(b"exit 8\r")

        assert terminal.process.wait(60) == 8
    finally:
        terminal.close()
    shared_runner("rm", "-f", "screen")


def test_without_a_terminal_of_ours_a_terminal_is_refused(shared_runner: Runner) -> None:
    done = shared_runner.try_("run", "--rm", "-it", "busybox", "sh")

    assert done.returncode == 2
    assert b"not a TTY" in done.stderr


def _size_becomes(terminal: Terminal, text: bytes) -> None:
    """A size takes a moment to arrive: ask again until it has."""
    for _ in range(40):
        terminal.type(b"stty size\r")
        try:
            terminal.expect(text, 0.5)
        except AssertionError:
            continue
        return
    pytest.fail(f"{text!r} never appeared")
