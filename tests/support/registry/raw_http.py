"""Raw sockets against registry.server: a server in a thread, an application that remembers."""

import asyncio
import os
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from registry.background import BackgroundTasks
from registry.server import Certificate, Limits, Server, SlipwayProtocol, listen
from tests.support.registry.settings import default_limits

TIMEOUT_SECONDS = 60.0
LAST = b"GET /plain HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


@dataclass
class Answer:
    """One response as it came over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Probe:
    """An application whose paths are behaviours, and which remembers what reached it."""

    directory: Path | None = None
    seen: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    endings: list[str] = field(default_factory=list)
    scopes: list[dict[str, Any]] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)
    held: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for _ in range(2):
                message = await receive()
                await send({"type": message["type"] + ".complete"})
            return
        self.seen.append(f"{scope['method']} {scope['path']}")
        self.scopes.append(scope)
        name = scope["path"].strip("/").partition("/")[0] or "plain"
        behaviour = getattr(self, f"_{name}", self._plain)
        try:
            await behaviour(scope, receive, send)
            self.endings.append("returned")
        except BaseException as error:
            self.endings.append(type(error).__name__)
            raise
        finally:
            self.ended.set()

    async def _plain(self, scope: Any, receive: Any, send: Any) -> None:
        body = await self._read(receive)
        if body is not None:
            await _say(send, 200, b"hello")

    async def _echo(self, scope: Any, receive: Any, send: Any) -> None:
        body = await self._read(receive)
        if body is not None:
            self.bodies.append(body)
            await _say(send, 200, body)

    async def _ignore(self, scope: Any, receive: Any, send: Any) -> None:
        await _say(send, 401, b"who are you?")

    async def _hold(self, scope: Any, receive: Any, send: Any) -> None:
        """Wait with the body unread until the test says so."""
        self.held.set()
        await asyncio.get_running_loop().run_in_executor(None, self.go_on.wait, TIMEOUT_SECONDS)
        await self._plain(scope, receive, send)

    async def _begin(self, scope: Any, receive: Any, send: Any) -> None:
        """Start a response and only then wait."""
        await send({"type": "http.response.start", "status": 200, "headers": []})
        self.held.set()
        await asyncio.get_running_loop().run_in_executor(None, self.go_on.wait, TIMEOUT_SECONDS)
        await send({"type": "http.response.body", "body": b"late"})

    async def _stream(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for part in (b"one,", b"two,", b"three"):
            await send({"type": "http.response.body", "body": part, "more_body": True})
            await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": b""})

    async def _crash(self, scope: Any, receive: Any, send: Any) -> None:
        raise LookupError("a bug in the application")

    async def _header(self, scope: Any, receive: Any, send: Any) -> None:
        await _say(send, 200, b"", (b"location", b"/a\r\nset-cookie: evil"))

    async def _short(self, scope: Any, receive: Any, send: Any) -> None:
        await send(_start(200, 10))
        await send({"type": "http.response.body", "body": b"12345"})

    async def _long(self, scope: Any, receive: Any, send: Any) -> None:
        await send(_start(200, 3))
        await send({"type": "http.response.body", "body": b"12345"})

    async def _file(self, scope: Any, receive: Any, send: Any) -> None:
        """/file/NAME?OFFSET-COUNT[-PROMISED]: zerocopysend."""
        name, numbers = scope["path"].split("/")[2], scope["query_string"].decode()
        offset, count, *promised = (int(number) for number in numbers.split("-"))
        assert self.directory is not None
        file = os.open(self.directory / name, os.O_RDONLY)
        try:
            await send(_start(200, promised[0] if promised else count))
            await send(_zerocopy(file, offset, count))
        finally:
            os.close(file)

    async def _parts(self, scope: Any, receive: Any, send: Any) -> None:
        """/parts/NAME: two ranges of one file between bytes of our own, with a length."""
        assert self.directory is not None
        with (self.directory / scope["path"].split("/")[2]).open("rb") as file:
            await send(_start(206, 3 + 100_000 + 3 + 10))
            await send({"type": "http.response.body", "body": b"<1>", "more_body": True})
            await send(_zerocopy(file, 5, 100_000, more_body=True))
            await send({"type": "http.response.body", "body": b"<2>", "more_body": True})
            await send(_zerocopy(file, 0, 10))

    async def _unsized(self, scope: Any, receive: Any, send: Any) -> None:
        """/unsized/NAME: a file without a content-length."""
        assert self.directory is not None
        path = self.directory / scope["path"].split("/")[2]
        with path.open("rb") as file:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send(_zerocopy(file, 0, path.stat().st_size))

    async def _path(self, scope: Any, receive: Any, send: Any) -> None:
        """/path/NAME: pathsend."""
        assert self.directory is not None
        path = self.directory / scope["path"].split("/")[2]
        await send(_start(200, path.stat().st_size))
        await send({"type": "http.response.pathsend", "path": str(path)})

    async def _read(self, receive: Any) -> bytes | None:
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.endings.append(f"disconnected after {len(body)}")
                return None
            body += message["body"]
            if not message["more_body"]:
                return bytes(body)


def _start(status: int, length: int, *headers: tuple[bytes, bytes]) -> dict[str, object]:
    fields = [(b"content-length", str(length).encode()), *headers]
    return {"type": "http.response.start", "status": status, "headers": fields}


def _zerocopy(file: object, offset: int, count: int, *, more_body: bool = False) -> dict[str, Any]:
    message = {"type": "http.response.zerocopysend", "file": file, "offset": offset}
    return {**message, "count": count, "more_body": more_body}


async def _say(send: Any, status: int, body: bytes, *headers: tuple[bytes, bytes]) -> None:
    await send(_start(status, len(body), *headers))
    await send({"type": "http.response.body", "body": body})


@contextmanager
def running(
    app: Any,
    limits: Limits | None = None,
    *,
    certificate: Certificate | None = None,
    listener: socket.socket | None = None,
) -> Iterator[Server]:
    """A server in a thread of its own, stopped gracefully at the end."""
    ready = threading.Event()
    listener = listener or listen("127.0.0.1", 0)
    server = Server(
        app,
        listener,
        limits=limits or default_limits(),
        background=BackgroundTasks(),
        certificate=certificate,
    )
    server.on_ready = lambda host, port: ready.set()
    thread = threading.Thread(target=asyncio.run, args=(server.serve(),))
    thread.start()
    try:
        assert ready.wait(TIMEOUT_SECONDS)
        yield server
    finally:
        server.stop()
        thread.join(TIMEOUT_SECONDS)
        assert not thread.is_alive()


@contextmanager
def connected(server: Server, data: bytes = b"", *, receive_buffer: int = 0) -> Iterator[Any]:
    with closing(socket.socket()) as connection:
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.settimeout(TIMEOUT_SECONDS)
        connection.connect(server.address)
        connection.sendall(data)
        yield connection


def talk(server: Server, data: bytes) -> list[Answer]:
    """Send this, and read whatever is answered until the server closes the connection."""
    with connected(server, data) as connection:
        return answers(read_to_end(connection))


def read_to_end(connection: socket.socket) -> bytes:
    received = bytearray()
    while part := connection.recv(1024 * 1024):
        received += part
    return bytes(received)


def read_answer(connection: socket.socket) -> Answer:
    """One answer with a content-length, on a connection that stays open."""
    received = b""
    while b"\r\n\r\n" not in received:
        part = connection.recv(1)
        assert part, f"the connection ended after {received!r}"
        received += part
    length = int((re.search(rb"content-length: (\d+)", received) or [b"", b"0"])[1])
    body = bytearray()
    while len(body) < length:
        part = connection.recv(length - len(body))
        assert part, f"the connection ended {length - len(body)} bytes early"
        body += part
    return answers(received + bytes(body))[0]


def answers(received: bytes) -> list[Answer]:
    """Split what came into responses; 1xx ones have no body."""
    found = []
    while received:
        head, _, received = received.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        status = int(first.split(" ")[1])
        if "chunked" in headers.get("transfer-encoding", ""):
            body, received = _unchunk(received)
        elif "content-length" in headers:
            length = int(headers["content-length"])
            body, received = received[:length], received[length:]
        else:
            body, received = (b"", received) if status < 200 else (received, b"")
        found.append(Answer(status, headers, body))
    return found


def _unchunk(received: bytes) -> tuple[bytes, bytes]:
    body = bytearray()
    while True:
        size, _, received = received.partition(b"\r\n")
        length = int(size, 16)
        body += received[:length]
        assert received[length : length + 2] == b"\r\n"
        received = received[length + 2 :]
        if not length:
            return bytes(body), received


def held_by(server: Server) -> SlipwayProtocol:
    """The server's one connection."""
    [held] = server.server_state.connections
    assert isinstance(held, SlipwayProtocol)
    return held


def post(target: str, *headers: str) -> bytes:
    lines = [f"POST {target} HTTP/1.1", "Host: a", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def with_length(target: str, body: bytes, *headers: str) -> bytes:
    return post(target, f"Content-Length: {len(body)}", *headers) + body


def chunked(target: str, body: bytes, size: int, *headers: str) -> bytes:
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    framed = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
    return post(target, "Transfer-Encoding: chunked", *headers) + framed + b"0\r\n\r\n"
