"""RespondingCycle: the response half of an exchange, with sendfile for files.

https://asgi.readthedocs.io/en/latest/extensions.html
"""

import asyncio
import errno
import os
from collections.abc import Iterable
from concurrent.futures import Executor
from functools import lru_cache
from itertools import chain
from typing import IO, Any

from uvicorn.protocols.http.httptools_impl import (
    HEADER_RE,
    HEADER_VALUE_RE,
    STATUS_LINE,
    RequestResponseCycle,
)

from registry.errors import StorageUnreadable
from registry.server.http.refusals import INTERNAL_ERROR
from registry.server.http.sendfile import FileEnded, SocketWriter, read_cached

EXTENSIONS: dict[str, dict[object, object]] = {
    "http.response.pathsend": {},
    "http.response.zerocopysend": {},
}

# Bodies up to this size are sent in one write with the head; larger files by sendfile.
_JOINED_BYTES = 64 * 1024
_READ_BYTES = 256 * 1024
# Drain unread bodies up to this size instead of closing the connection.
_MAX_UNREAD_BYTES = 64 * 1024
_WITHOUT_BODY = (204, 304)
_NO_SENDFILE = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)
# Errors of sendfile that concern the socket, besides ConnectionError; others concern the file.
_CLIENT_GONE = (
    errno.ETIMEDOUT,
    errno.EHOSTUNREACH,
    errno.EHOSTDOWN,
    errno.ENETUNREACH,
    errno.ENETDOWN,
    errno.ENETRESET,
    errno.ENOTCONN,
)


class RespondingCycle(RequestResponseCycle):
    """Sends the application's response, and checks its length."""

    unread_bytes: int | None
    """Bytes of the request's body still unread; None if its length is unknown."""

    def __init__(
        self, *, loop: asyncio.AbstractEventLoop, executor: Executor | None, **uvicorns: Any
    ) -> None:
        super().__init__(**uvicorns)
        self.writer: SocketWriter | None = None
        self._loop = loop
        self._executor = executor
        self._head = b""
        self._remaining_bytes: int | None = None
        self._has_body = True

    async def send(self, message: Any) -> None:
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        kind = message["type"]
        if self.response_complete or (kind == "http.response.start") == self.response_started:
            raise RuntimeError(f"unexpected ASGI message {kind!r}")
        if kind == "http.response.start":
            self._start(message["status"], message.get("headers", ()))
            return
        if kind == "http.response.body":
            body = message.get("body", b"")
            self._send_body(body)
            if len(body) > _JOINED_BYTES:
                # Wait until the client has read a large one: its bytes are counted.
                await self.flow.drain()
        elif kind == "http.response.zerocopysend":
            await self._send_file(message["file"], message.get("offset"), message.get("count"))
        elif kind == "http.response.pathsend":
            await self._send_path(message["path"])
        else:
            raise RuntimeError(f"unexpected ASGI message {kind!r}")
        if not message.get("more_body", False) and not self.disconnected:
            self._finish()

    def _start(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Send the head, or raise RuntimeError for a line break in a header (rule HT-2)."""
        if self._leaves_body_unread():
            self.keep_alive = False
        self.waiting_for_100_continue = False
        self._has_body = self.scope["method"] != "HEAD" and status not in _WITHOUT_BODY
        lines = [STATUS_LINE[status]]
        closes = False
        for given, value in chain(self.default_headers, headers):
            name = _header_name(given)
            if HEADER_VALUE_RE.search(value):
                raise RuntimeError(f"invalid value of response header {given!r}: {value!r}")
            if name == b"content-length":
                self._remaining_bytes = int(value)
            elif name == b"transfer-encoding":
                continue  # the server chooses the framing
            elif name == b"connection":
                closes = b"close" in value.lower()
            lines += (name, b": ", value, b"\r\n")
        if self._remaining_bytes is None and self._has_body:
            lines.append(self._frame_without_length())
        if closes:
            self.keep_alive = False
        elif not self.keep_alive:
            lines.append(b"connection: close\r\n")
        lines.append(b"\r\n")
        # Delayed, to be sent together with the first part of the body, or in the next loop
        # iteration.
        self._head = b"".join(lines)
        self.response_started = True
        self._loop.call_soon(self._flush_head)

    def _leaves_body_unread(self) -> bool:
        """Whether too much of the request's body is unread to keep the connection.

        A client that got no 100 Continue may send its body or not, so the start of its next request
        is unknown.
        """
        if not self.more_body:
            return False
        if self.waiting_for_100_continue or self.unread_bytes is None:
            return True
        return self.unread_bytes > _MAX_UNREAD_BYTES

    def _frame_without_length(self) -> bytes:
        if self.scope["http_version"] == "1.0":
            self.keep_alive = False
            return b""
        self.chunked_encoding = True
        return b"transfer-encoding: chunked\r\n"

    def _flush_head(self) -> None:
        if self._head:
            head, self._head = self._head, b""
            self.transport.write(head)

    def _write(self, data: bytes) -> None:
        if not self._head:
            self.transport.write(data)
            return
        head, self._head = self._head, b""
        if len(data) <= _JOINED_BYTES:
            self.transport.write(head + data)
        else:
            self.transport.write(head)
            self.transport.write(data)

    def _count_body(self, count: int) -> None:
        if self._remaining_bytes is None:
            return
        if count > self._remaining_bytes:
            raise RuntimeError(f"response is {count - self._remaining_bytes} bytes too long")
        self._remaining_bytes -= count

    def _send_body(self, body: bytes) -> None:
        if not self._has_body or not body:
            return
        self._count_body(len(body))
        if self.chunked_encoding:
            body = b"%x\r\n%b\r\n" % (len(body), body)
        self._write(body)

    def _finish(self) -> None:
        if self._has_body and self._remaining_bytes:
            raise RuntimeError(f"response is {self._remaining_bytes} bytes too short")
        if self.chunked_encoding:
            self._write(b"0\r\n\r\n")
        self._flush_head()
        self.response_complete = True
        self.message_event.set()
        self.on_response()

    def _fail(self) -> None:
        """Send a 500 if the response has not begun; otherwise cut it off."""
        if self.response_complete or self.disconnected:
            return
        if self.response_started and not self._head:
            self.transport.close()
        else:
            self._head = b""
            self.keep_alive = False
            self.transport.write(INTERNAL_ERROR)
            self.response_started = self.response_complete = True
            self.message_event.set()
            self.on_response()

    async def _send_path(self, path: str) -> None:
        file = await self._loop.run_in_executor(self._executor, os.open, path, os.O_RDONLY)
        try:
            await self._send_file(file, 0, None)
        finally:
            os.close(file)

    async def _send_file(
        self, file: int | IO[bytes], offset: int | None, count: int | None
    ) -> None:
        """Send a blob, or a range of one."""
        descriptor = file if isinstance(file, int) else file.fileno()
        if offset is None:
            offset = os.lseek(descriptor, 0, os.SEEK_CUR)
        if count is None:
            count = max(0, os.fstat(descriptor).st_size - offset)
        if not self._has_body or not count:
            return
        self._count_body(count)
        if self.chunked_encoding:
            self._write(b"%x\r\n" % count)
        await self._send_range(descriptor, offset, count)
        if self.chunked_encoding and not self.disconnected:
            self._write(b"\r\n")

    async def _send_range(self, file: int, offset: int, count: int) -> None:
        part = read_cached(file, offset, count) if count <= _JOINED_BYTES else None
        if part is not None:
            self._write(part)
            return
        self._flush_head()
        if self.scope["scheme"] == "http" and await self._send_by_kernel(file, offset, count):
            return
        await self._send_copies(file, offset, count)

    async def _send_by_kernel(self, file: int, offset: int, count: int) -> bool:
        """Send by sendfile; false if the file system does not support it."""
        await self._until_flushed()
        if self.disconnected:
            return True
        connection = self.transport.get_extra_info("socket")
        writer = self.writer = SocketWriter(connection, self._loop, self._executor)
        try:
            await writer.send(file, offset, count)
        except OSError as error:
            if error.errno in _NO_SENDFILE and not writer.sent_bytes:
                return False
            if not isinstance(error, ConnectionError) and error.errno not in _CLIENT_GONE:
                raise StorageUnreadable.of(error) from error
            self.disconnect()
            self.transport.abort()
        finally:
            self.writer = None
            writer.close()
        return True

    async def _until_flushed(self) -> None:
        if self.transport.get_write_buffer_size():
            self.transport.set_write_buffer_limits(high=0)
            try:
                await self.flow.drain()
            finally:
                self.transport.set_write_buffer_limits()

    async def _send_copies(self, file: int, offset: int, count: int) -> None:
        while count and not self.disconnected:
            length = min(count, _READ_BYTES)
            try:
                part = await self._loop.run_in_executor(
                    self._executor, os.pread, file, length, offset
                )
            except OSError as error:
                raise StorageUnreadable.of(error) from error
            if not part:
                raise FileEnded(f"the file ended {count} bytes early")
            self.transport.write(part)
            offset += len(part)
            count -= len(part)
            await self.flow.drain()

    def disconnect(self) -> None:
        """Mark the exchange as disconnected, and wake everything that waits for the client."""
        if not self.response_complete:
            self.disconnected = True
        self.message_event.set()
        if self.writer is not None:
            self.writer.wake()


# The program has few names, and sends some of them in every response.
@lru_cache(maxsize=256)
def _header_name(given: bytes) -> bytes:
    """The name in lower case.  Raises RuntimeError if it is none."""
    if HEADER_RE.search(given):
        raise RuntimeError(f"invalid name of a response header: {given!r}")
    return given.lower()
