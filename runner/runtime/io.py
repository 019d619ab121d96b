"""Streams of processes: pipes and terminals.

Every class here is a Streams (see contract.py).
"""

import asyncio
import fcntl
import os
import struct
import termios
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Final

from runner.runtime.contract import Frame, StdStream

READ_BYTES: Final = 65536


_Add = Callable[[int, Callable[["asyncio.Future[None]"], None], "asyncio.Future[None]"], None]
_Remove = Callable[[int], bool]


class PipeStreams:
    """Our ends of a child's stdin, stdout and stderr: pipes, or one terminal's master.

    ``frames`` ends when every writer has closed its end, or, after ``finish``, with the output
    written so far: a background process may hold a pipe open.
    """

    def __init__(
        self, outputs: Mapping[StdStream, int], stdin: int | None, *, terminal: bool = False
    ) -> None:
        """Take ownership of the descriptors."""
        self._outputs = dict(outputs)
        self._stdin = stdin
        self._terminal = terminal
        self._finished = False
        self._waiting: set[asyncio.Future[None]] = set()
        self._loop = asyncio.get_running_loop()
        for descriptor in (*outputs.values(), *([] if stdin is None else [stdin])):
            os.set_blocking(descriptor, False)

    async def frames(self) -> AsyncIterator[Frame]:
        queue: asyncio.Queue[Frame | None] = asyncio.Queue(maxsize=16)
        pumps = [asyncio.create_task(self._pump(stream, queue)) for stream in tuple(self._outputs)]
        open_outputs = len(pumps)
        try:
            while open_outputs:
                frame = await queue.get()
                if frame is None:
                    open_outputs -= 1
                else:
                    yield frame
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    def finish(self) -> None:
        """Note that the process has exited: the pipes' content now is the last of its output."""
        self._finished = True
        for waiting in self._waiting:
            _wake(waiting)

    async def write(self, content: bytes) -> None:
        view = memoryview(content)
        while view and self._stdin is not None:
            try:
                view = view[os.write(self._stdin, view) :]
            except BlockingIOError:
                await self._ready(self._loop.add_writer, self._loop.remove_writer, self._stdin)
            except OSError:
                # The process has closed its stdin: discard the rest.
                return

    async def close_stdin(self) -> None:
        if self._terminal:
            # A terminal signals end of input by ^D.
            await self.write(b"\x04")
        else:
            self._close_stdin()

    async def aclose(self) -> None:
        """Detach; further output is read and discarded, so that no writer gets SIGPIPE."""
        self._close_stdin()
        while self._outputs:
            _, descriptor = self._outputs.popitem()
            self._loop.add_reader(descriptor, self._drop, descriptor)

    async def _pump(self, stream: StdStream, queue: asyncio.Queue[Frame | None]) -> None:
        descriptor, left = self._outputs[stream], None
        while left is None or left > 0:
            if self._finished and left is None:
                left = _bytes_waiting(descriptor)
                continue
            try:
                content = os.read(descriptor, READ_BYTES)
            except BlockingIOError:
                await self._ready(self._loop.add_reader, self._loop.remove_reader, descriptor)
                continue
            except OSError:
                # A terminal without open slaves returns EIO.
                content = b""
            if not content:
                if self._outputs.pop(stream, None) is not None:
                    os.close(descriptor)
                break
            left = None if left is None else left - len(content)
            await queue.put(Frame(stream, content))
        await queue.put(None)

    async def _ready(self, add: _Add, remove: _Remove, descriptor: int) -> None:
        """Wait until the descriptor is ready, or the process has exited."""
        ready: asyncio.Future[None] = self._loop.create_future()
        self._waiting.add(ready)
        add(descriptor, _wake, ready)
        try:
            await ready
        finally:
            remove(descriptor)
            self._waiting.discard(ready)

    def _drop(self, descriptor: int) -> None:
        try:
            content = os.read(descriptor, READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            content = b""
        if not content:
            self._loop.remove_reader(descriptor)
            os.close(descriptor)

    def _close_stdin(self) -> None:
        if self._stdin is not None:
            os.close(self._stdin)
            self._stdin = None


def set_size(terminal: int, height: int, width: int) -> None:
    """Set a terminal's size in characters, clamped to 0 to 65535."""
    size = struct.pack("HHHH", *(min(max(n, 0), 65535) for n in (height, width)), 0, 0)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, size)


def _bytes_waiting(descriptor: int) -> int:
    (count,) = struct.unpack("i", fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)))
    return int(count)


def _wake(waiting: asyncio.Future[None]) -> None:
    # The loop may call this again before the waiter runs.
    if not waiting.done():
        waiting.set_result(None)
