"""A minimal HTTP/1.1 client for the daemon's Unix socket, quick to import.

httpx2 takes 189 ms to import and http.client 20 ms; a whole ``runner run`` may add
at most 60 ms (docs/decisions/0005).  The daemon's responses have a length or are chunked.
https://www.rfc-editor.org/rfc/rfc9112 sections 4 (status line), 6 (message body) and 7.1 (chunked).
"""

import json
import socket
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NoReturn

_HEAD_END = b"\r\n\r\n"
_READ_BYTES = 64 * 1024
_MAX_HEAD_BYTES = 64 * 1024


class DaemonUnreachable(Exception):
    """No daemon answers on the socket, or it closed the connection."""


class DaemonRefused(Exception):
    """The daemon refused a request: its message and HTTP status.

    ``kind`` is the value of runner.errors.Kind in the response, or "".
    """

    def __init__(self, status: int, message: str, kind: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind


class DaemonResponse:
    """A response whose body is read from the connection.  Read it to the end, or close it."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._buffer = b""
        self._ended = False
        head = self._read_head()
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split(" ", 2)[1])
        self.headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines[1:])
        }

    def chunks(self) -> Iterator[bytes]:
        """The body's chunks as they arrive."""
        if self.headers.get("transfer-encoding") == "chunked":
            while size := int(self._line(), 16):
                yield from self._exactly(size)
                self._line()
            self._line()
        elif "content-length" in self.headers:
            yield from self._exactly(int(self.headers["content-length"]))
        self._ended = True

    def body(self) -> bytes:
        content = b"".join(self.chunks())
        self.close()
        return content

    def json(self) -> Any:
        return json.loads(self.body())

    def documents(self) -> Iterator[dict[str, Any]]:
        """The body's JSON documents, one per line, as they arrive."""
        pending = b""
        for chunk in self.chunks():
            *lines, pending = (pending + chunk).split(b"\n")
            yield from (json.loads(line) for line in lines if line.strip())
        if pending.strip():
            yield json.loads(pending)
        self.close()

    def take_over(self) -> tuple[socket.socket, bytes]:
        """The raw connection after a 101, and the bytes already read from it."""
        return self._socket, self._buffer

    def close(self) -> None:
        self._socket.close()

    def check(self) -> "DaemonResponse":
        """Return self, or raise DaemonRefused for an error status."""
        if self.status < 400:
            return self
        content = self.body()
        kind = ""
        try:
            document = json.loads(content)
            message, kind = str(document["message"]), str(document.get("kind", ""))
        except (ValueError, KeyError, TypeError):
            message = content.decode(errors="replace") or f"status {self.status}"
        raise DaemonRefused(self.status, message, kind)

    def _read_head(self) -> bytes:
        while True:
            head, found, rest = self._buffer.partition(_HEAD_END)
            if found and head.startswith(b"HTTP/1.1 100"):
                self._buffer = rest
            elif found:
                self._buffer = rest
                return head
            else:
                self._fill()
                if len(self._buffer) > _MAX_HEAD_BYTES:
                    self._fail("what answers on the socket does not speak HTTP")

    def _line(self) -> bytes:
        while b"\r\n" not in self._buffer:
            self._fill()
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        return line

    def _exactly(self, size: int) -> Iterator[bytes]:
        while size:
            if not self._buffer:
                self._fill()
            chunk, self._buffer = self._buffer[:size], self._buffer[size:]
            size -= len(chunk)
            yield chunk

    def _fill(self) -> None:
        try:
            content = self._socket.recv(_READ_BYTES)
        except ConnectionError:
            content = b""
        if not content:
            self._fail("the daemon closed the connection before its answer ended")
        self._buffer += content

    def _fail(self, reason: str) -> NoReturn:
        self._socket.close()
        raise DaemonUnreachable(reason)


def connect(path: str) -> socket.socket:
    """Connect to the daemon; OSError if no process listens."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(path)
    except OSError:
        connection.close()
        raise
    return connection


def exchange(
    connection: socket.socket,
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: bytes | Iterable[bytes] | None,
) -> DaemonResponse:
    """Send a request and read the head of its response."""
    fields = {"Host": "slipway", **headers}
    if isinstance(body, bytes):
        fields["Content-Length"] = str(len(body))
    elif body is not None:
        fields["Transfer-Encoding"] = "chunked"
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    head = f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode()
    try:
        if body is None or isinstance(body, bytes):
            connection.sendall(head + (body or b""))
        else:
            connection.sendall(head)
            for chunk in body:
                if chunk:
                    connection.sendall(b"%x\r\n%b\r\n" % (len(chunk), chunk))
            connection.sendall(b"0\r\n\r\n")
    except (BrokenPipeError, ConnectionResetError):
        # The daemon responded before reading the whole body; read its response.
        pass
    return DaemonResponse(connection)
