"""stdio: a process's pipes and terminals, and the socket that a monitor attaches us by.

Every class here is a Streams (see runtime.py).
"""

import asyncio
import fcntl
import os
import socket
import struct
import termios
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from runner.runtime.runtime import Frame, StdStream

READ_BYTES: Final = 65536
# What one reader may fall behind before it is cut off.
BACKLOG_BYTES: Final = 16 << 20

# conmon's first byte of a packet (conmon: src/ctr_stdio.c), and how much follows it at most.
_CONMON_STREAMS: Final = {2: StdStream.STDOUT, 3: StdStream.STDERR}
_CONMON_PACKET_BYTES: Final = 32768 + 1


class AttachSocket:
    """A client of conmon's attach socket.

    conmon writes to its clients blockingly: whatever arrives is taken at once, and the reader's
    backlog is kept here, where it holds up nobody but the reader.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._loop = asyncio.get_running_loop()
        self._backlog: deque[Frame] = deque()
        self._backlog_bytes = 0
        self._ended = False
        self._news = asyncio.Event()
        self._loop.add_reader(connection, self._take)

    @classmethod
    def connect(cls, path: Path) -> "AttachSocket":
        """Join; a listening Unix socket answers at once.  Raises OSError when nobody listens."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            connection.connect(str(path))
        except OSError:
            connection.close()
            raise
        connection.setblocking(False)
        return cls(connection)

    async def frames(self) -> AsyncIterator[Frame]:
        while True:
            while self._backlog:
                frame = self._backlog.popleft()
                self._backlog_bytes -= len(frame.content)
                yield frame
            if self._ended:
                return
            self._news.clear()
            await self._news.wait()

    async def write(self, content: bytes) -> None:
        with suppress(OSError):
            for start in range(0, len(content), _CONMON_PACKET_BYTES - 1):
                packet = content[start : start + _CONMON_PACKET_BYTES - 1]
                await self._loop.sock_sendall(self._socket, packet)

    async def close_stdin(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    async def aclose(self) -> None:
        self._end()
        self._socket.close()

    def _take(self) -> None:
        while True:
            try:
                packet = self._socket.recv(_CONMON_PACKET_BYTES)
            except (BlockingIOError, InterruptedError):
                break
            except OSError:
                packet = b""
            if not packet or self._backlog_bytes > BACKLOG_BYTES:
                self._end()
                # conmon would wait for ever for room in a socket that nobody drains.
                self._socket.close()
                break
            if stream := _CONMON_STREAMS.get(packet[0]):
                self._backlog.append(Frame(stream, packet[1:]))
                self._backlog_bytes += len(packet) - 1
        self._news.set()

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            self._loop.remove_reader(self._socket)
        self._news.set()


class PipeStreams:
    """The near ends of a child's stdin, stdout and stderr: pipes, or one terminal's master."""

    def __init__(
        self,
        outputs: Mapping[StdStream, asyncio.ReadTransport],
        readers: Mapping[StdStream, asyncio.StreamReader],
        stdin: int | None,
        *,
        terminal: bool = False,
    ) -> None:
        self._outputs, self._readers = outputs, readers
        self._stdin = stdin
        self._terminal = terminal
        self._loop = asyncio.get_running_loop()

    @classmethod
    async def open(
        cls, outputs: Mapping[StdStream, int], stdin: int | None, *, terminal: bool = False
    ) -> "PipeStreams":
        """Take over the descriptors, which are ours to close from now on."""
        transports, readers = {}, {}
        for stream, descriptor in outputs.items():
            readers[stream] = asyncio.StreamReader(limit=READ_BYTES)
            transports[stream] = await _connect(descriptor, readers[stream])
        if stdin is not None:
            os.set_blocking(stdin, False)
        return cls(transports, readers, stdin, terminal=terminal)

    async def frames(self) -> AsyncIterator[Frame]:
        queue: asyncio.Queue[Frame | None] = asyncio.Queue(maxsize=16)
        pumps = [
            asyncio.create_task(_pump(stream, reader, queue))
            for stream, reader in self._readers.items()
        ]
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

    async def write(self, content: bytes) -> None:
        view = memoryview(content)
        while view and self._stdin is not None:
            try:
                view = view[os.write(self._stdin, view) :]
            except BlockingIOError:
                await _writable(self._loop, self._stdin)
            except OSError:
                # The process has closed its end: what follows has no reader.
                return

    async def close_stdin(self) -> None:
        if self._terminal:
            # A terminal has no end of input of its own: what a user types is ^D.
            await self.write(b"\x04")
        elif self._stdin is not None:
            os.close(self._stdin)
            self._stdin = None

    async def aclose(self) -> None:
        for transport in self._outputs.values():
            transport.close()
        if self._stdin is not None:
            os.close(self._stdin)
            self._stdin = None


def set_size(terminal: int, height: int, width: int) -> None:
    """Set a terminal's size in characters; out-of-range numbers are cut to 0 to 65535."""
    size = struct.pack("HHHH", *(min(max(n, 0), 65535) for n in (height, width)), 0, 0)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, size)


async def _connect(descriptor: int, reader: asyncio.StreamReader) -> asyncio.ReadTransport:
    loop = asyncio.get_running_loop()
    file = os.fdopen(descriptor, "rb", buffering=0)
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), file)
    return transport


async def _pump(
    stream: StdStream, reader: asyncio.StreamReader, queue: asyncio.Queue[Frame | None]
) -> None:
    # A terminal whose last user has gone ends with EIO.
    with suppress(OSError):
        while content := await reader.read(READ_BYTES):
            await queue.put(Frame(stream, content))
    await queue.put(None)


async def _writable(loop: asyncio.AbstractEventLoop, descriptor: int) -> None:
    ready: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        # The loop may call this more than once before the waiter has run.
        if not ready.done():
            ready.set_result(None)

    loop.add_writer(descriptor, wake)
    try:
        await ready
    finally:
        loop.remove_writer(descriptor)
