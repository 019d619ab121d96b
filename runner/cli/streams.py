"""Terminal side of attach, exec and logs: copy streams, split frames, forward signals."""

import os
import select
import signal
import socket
import sys
import termios
import tty
from collections.abc import Callable, Iterable

_READ_BYTES = 64 * 1024

# Forwarded to the container's first process; others act on the command itself.
FORWARDED = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGCONT")

# FORCE_EXIT_AFTER of these end the command: the process may ignore forwarded signals.
TERMINATING = frozenset({signal.SIGINT, signal.SIGTERM})
FORCE_EXIT_AFTER = 3

# ctrl-p ctrl-q, docker's default.
DETACH_KEYS = b"\x10\x11"


class Detached(Exception):
    """The user typed the detach keys."""


class Frames:
    """Splits a byte stream into the Engine API's frames and writes each to stdout or stderr."""

    def __init__(self, stdout: int = 1, stderr: int = 2) -> None:
        self._outputs = {1: stdout, 2: stderr}
        self._pending = b""

    def feed(self, content: bytes) -> None:
        self._pending += content
        while len(self._pending) >= 8:
            stream, size = self._pending[0], int.from_bytes(self._pending[4:8], "big")
            if len(self._pending) < 8 + size:
                return
            write_all(self._outputs.get(stream, 1), self._pending[8 : 8 + size])
            self._pending = self._pending[8 + size :]


def write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def copy_frames(chunks: Iterable[bytes], *, tty: bool) -> None:
    """Write a logs response to stdout and stderr."""
    frames = Frames()
    for chunk in chunks:
        if tty:
            write_all(1, chunk)
        else:
            frames.feed(chunk)


class Session:
    """Connects this terminal to a hijacked connection until the process's output ends.

    ``on_signal`` is called with the name of each signal to forward, ``on_resize`` with the
    terminal's new height and width.  The third SIGINT or SIGTERM raises SystemExit; the
    container keeps running.
    """

    def __init__(
        self,
        connection: socket.socket,
        unread: bytes,
        *,
        tty: bool,
        stdin: bool,
        on_signal: Callable[[str], None] | None,
        on_resize: Callable[[int, int], None],
        detach_keys: bytes = DETACH_KEYS,
    ) -> None:
        self._connection = connection
        self._unread = unread
        self._tty = tty
        self._stdin = stdin
        self._on_signal = on_signal
        self._on_resize = on_resize
        self._detach = DetachKeys(detach_keys) if tty else None
        self._frames = Frames()
        self._wake, self._woken = os.pipe()
        self._unsent = b""
        self._input_ended = False
        self._signals: list[int] = []
        self._terminations = 0
        self._catch()

    def resize(self) -> None:
        """Set the process's terminal to the size of ours."""
        if self._tty and sys.stdout.isatty():
            columns, lines = os.get_terminal_size(1)
            self._on_resize(lines, columns)

    def run(self) -> None:
        """Copy until the process's output ends; raises Detached if the user detached."""
        restore = _raw_terminal() if self._tty and self._stdin and sys.stdin.isatty() else None
        try:
            self._output(self._unread)
            self._copy()
        finally:
            if restore is not None:
                restore()
            self._connection.close()

    def _copy(self) -> None:
        if not self._stdin:
            self._end_input()
        self._connection.setblocking(False)
        connection = self._connection.fileno()
        while True:
            ready = self._poll()
            if self._wake in ready:
                os.read(self._wake, 512)
                self._pass_signals()
            if ready.get(0):
                self._input()
            if ready.get(connection, 0) & select.POLLOUT:
                self._send()
            if ready.get(connection, 0) & ~select.POLLOUT and not self._receive():
                return

    def _poll(self) -> dict[int, int]:
        """Poll; returns the ready descriptors with their events.

        Stdin is read only when all earlier input is sent, so that a slow process blocks it.
        """
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        out = select.POLLOUT if self._unsent else 0
        poll.register(self._connection, select.POLLIN | out)
        if self._stdin and not self._input_ended and not self._unsent:
            poll.register(0, select.POLLIN)
        return dict(poll.poll())

    def _receive(self) -> bool:
        try:
            content = self._connection.recv(_READ_BYTES)
        except BlockingIOError:
            return True
        except ConnectionError:
            return False
        self._output(content)
        return bool(content)

    def _output(self, content: bytes) -> None:
        if self._tty:
            write_all(1, content)
        else:
            self._frames.feed(content)

    def _input(self) -> None:
        """Forward input, or its end."""
        try:
            content = os.read(0, _READ_BYTES)
        except OSError:
            content = b""
        if not content:
            self._end_input()
            return
        if self._detach is not None:
            content = self._detach.filter(content)
            if self._detach.complete:
                raise Detached
        self._unsent = content
        self._send()

    def _send(self) -> None:
        try:
            self._unsent = self._unsent[self._connection.send(self._unsent) :]
        except BlockingIOError:
            return
        except ConnectionError:
            # The process has closed its stdin; keep reading its output.
            self._unsent = b""
            self._input_ended = True

    def _end_input(self) -> None:
        self._input_ended = True
        try:
            self._connection.shutdown(socket.SHUT_WR)
        except OSError:
            # Already closed by the daemon.
            return

    def _catch(self) -> None:
        def caught(number: int, _: object) -> None:
            self._terminations += number in TERMINATING
            if self._terminations >= FORCE_EXIT_AFTER:
                # docker's message, on stderr, with exit code 1.
                raise SystemExit(f"\ngot {FORCE_EXIT_AFTER} SIGTERM/SIGINTs, forcefully exiting")
            self._signals.append(number)
            os.write(self._woken, b"\0")

        names = ["SIGWINCH"] if self._tty else []
        if self._on_signal is not None:
            names += FORWARDED
        for name in names:
            signal.signal(getattr(signal, name), caught)

    def _pass_signals(self) -> None:
        while self._signals:
            number = self._signals.pop(0)
            if number == signal.SIGWINCH:
                self.resize()
            elif self._on_signal is not None:
                self._on_signal(signal.Signals(number).name)


class DetachKeys:
    """Finds the detach keys in the input and withholds them from the process."""

    def __init__(self, keys: bytes) -> None:
        self._keys = keys
        self._seen = 0
        self.complete = False

    def filter(self, typed: bytes) -> bytes:
        """The input to forward, including withheld keys whose sequence was broken off."""
        passed = bytearray()
        for byte in typed:
            if self._keys and byte == self._keys[self._seen]:
                self._seen += 1
                if self._seen == len(self._keys):
                    self.complete = True
                    break
                continue
            passed += self._keys[: self._seen]
            self._seen = 1 if self._keys and byte == self._keys[0] else 0
            if not self._seen:
                passed.append(byte)
        return bytes(passed)


def parse_detach_keys(text: str) -> bytes:
    """Parse docker's notation, ``ctrl-p,ctrl-q``, or plain characters; ValueError for others."""
    if not text:
        return b""
    keys = bytearray()
    for key in text.split(","):
        if key.startswith("ctrl-") and len(key) == 6 and key.isascii():
            keys.append(ord(key[5].upper()) & 0x1F)
        elif len(key) == 1:
            keys += os.fsencode(key)  # an argument that is not UTF-8 gives its own byte
        else:
            raise ValueError(f"invalid detach keys {text!r}: expected for example ctrl-p,ctrl-q")
    return bytes(keys)


def _raw_terminal() -> Callable[[], None]:
    """Set the terminal to raw mode; returns a function that restores it."""
    before = termios.tcgetattr(0)
    # TCSANOW does not flush: input typed ahead belongs to the container.
    tty.setraw(0, termios.TCSANOW)

    def restore() -> None:
        termios.tcsetattr(0, termios.TCSADRAIN, before)

    return restore
