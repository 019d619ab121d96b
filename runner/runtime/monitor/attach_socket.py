"""AttachSocket: the streams of a container, by the socket that its monitor listens on."""

import asyncio
import os
import socket
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from runner.runtime.contract import Frame, StdStream

MAX_BACKLOG_BYTES: Final = 16 << 20

# The first byte of a conmon packet (conmon: src/ctr_stdio.c), and the largest payload.
_CONMON_STREAMS: Final = {2: StdStream.STDOUT, 3: StdStream.STDERR}
_CONMON_PACKET_BYTES: Final = 32768 + 1


class AttachSocket:
    """A client of conmon's attach socket.

    conmon blocks on writes to its clients: packets are read at once and queued here, so that a
    slow reader blocks only itself.  With more than ``max_backlog_bytes`` queued it is cut off.
    """

    def __init__(
        self, connection: socket.socket, max_backlog_bytes: int = MAX_BACKLOG_BYTES
    ) -> None:
        self._socket = connection
        self._max_backlog_bytes = max_backlog_bytes
        self._loop = asyncio.get_running_loop()
        self._backlog: deque[Frame] = deque()
        self._backlog_bytes = 0
        self._ended = False
        self._news = asyncio.Event()
        self._loop.add_reader(connection, self._take)

    @classmethod
    def connect(cls, path: Path) -> "AttachSocket":
        """Connect; blocks only briefly.  Raises OSError if no process listens.

        By a descriptor of the directory: an address has 108 bytes, and ``path`` may have more.
        """
        directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            connection.connect(f"/proc/self/fd/{directory}/{path.name}")
        except OSError:
            connection.close()
            raise
        finally:
            os.close(directory)
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
            except ConnectionResetError:
                # conmon exited with unread input.  A packet socket reports that first; data sent
                # before can still be read.
                continue
            except OSError:
                packet = b""
            if not packet or self._backlog_bytes > self._max_backlog_bytes:
                self._end()
                # conmon would block for ever on a socket that is not drained.
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
