"""The server, seen from raw sockets: what the docker command does on the wire."""

import asyncio
import json
import socket
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from pathlib import Path

import pytest

from runner.daemon.http.messages import (
    Application,
    Duplex,
    HandlerResult,
    Hijack,
    Request,
    Response,
    json_response,
)
from runner.daemon.http.server import Server
from runner.errors import NotFound


class Served:
    """A server on a socket of its own, with the handlers of these tests."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seen: list[bytes] = []
        self.ended = asyncio.Event()
        self.release = asyncio.Event()
        self.started = asyncio.Event()

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_unix_connection(str(self.path))

    async def handle(self, request: Request) -> HandlerResult:
        handler: Application = getattr(self, request.path.strip("/"))
        return await handler(request)

    async def echo(self, request: Request) -> HandlerResult:
        body = b"".join([chunk async for chunk in request.body])
        return Response(body=body, content_type="text/plain")

    async def ignore(self, request: Request) -> HandlerResult:
        return Response(body=b"ignored", content_type="text/plain")

    async def refuse(self, request: Request) -> HandlerResult:
        raise NotFound(f"No such thing: {request.query.text('name')}")

    async def broken(self, request: Request) -> HandlerResult:
        raise RuntimeError("nobody foresaw this")

    async def document(self, request: Request) -> HandlerResult:
        return json_response(await request.json())

    async def slow(self, request: Request) -> HandlerResult:
        self.started.set()
        await self.release.wait()
        self.ended.set()
        return Response(body=b"done", content_type="text/plain")

    async def stream(self, request: Request) -> HandlerResult:
        async def items() -> AsyncGenerator[bytes, None]:
            try:
                self.started.set()
                yield b"one"
                await self.release.wait()
                yield b"two"
            finally:
                self.ended.set()

        return Response(body=items())

    async def hijack(self, request: Request) -> HandlerResult:
        async def run(client: Duplex) -> None:
            while content := await client.read():
                self.seen.append(content)
            await client.write(b"you said " + b"".join(self.seen))

        return Hijack(run)

    async def deaf(self, request: Request) -> HandlerResult:
        async def run(client: Duplex) -> None:
            await self.release.wait()
            await client.write(b"answer")

        return Hijack(run)

    async def forever(self, request: Request) -> HandlerResult:
        async def run(client: Duplex) -> None:
            try:
                self.started.set()
                await asyncio.Event().wait()
            finally:
                self.ended.set()

        return Hijack(run)


@pytest.fixture
def directory() -> Iterator[Path]:
    # pytest's own directories are too long for a socket's address.
    with tempfile.TemporaryDirectory(prefix="slip") as path:
        yield Path(path)


@pytest.fixture
async def served(directory: Path) -> AsyncIterator[Served]:
    served = Served(directory / "s")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(served.path))
    server = Server(served.handle)
    await server.start(listener)
    yield served
    served.release.set()
    await server.aclose()


async def say(served: Served, content: bytes, *, half_close: bool = True) -> bytes:
    """Send bytes, by default end our half as the docker command does, and read to the end."""
    reader, writer = await served.connect()
    writer.write(content)
    if half_close:
        writer.write_eof()
    answer = await asyncio.wait_for(reader.read(), 60)
    writer.close()
    return answer


async def test_a_request_with_a_length_is_answered_with_a_length(served: Served) -> None:
    answer = await say(served, b"POST /echo HTTP/1.1\r\nHost: d\r\nContent-Length: 5\r\n\r\nhello")

    head, body = answer.split(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Content-Length: 5" in head
    assert body == b"hello"


async def test_a_chunked_request_is_read_whole(served: Served) -> None:
    request = b"POST /echo HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n"

    answer = await say(served, request + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")

    assert answer.endswith(b"\r\n\r\nabcde")


async def test_pipelined_requests_are_answered_in_order(served: Served) -> None:
    one = b"POST /echo HTTP/1.1\r\nHost: d\r\nContent-Length: 1\r\n\r\n1"
    two = b"POST /ignore HTTP/1.1\r\nHost: d\r\nContent-Length: 1\r\n\r\n2"
    three = b"POST /echo HTTP/1.1\r\nHost: d\r\nContent-Length: 1\r\n\r\n3"

    answer = await say(served, one + two + three)

    bodies = [part.rsplit(b"\r\n\r\n", 1)[1] for part in answer.split(b"HTTP/1.1 ")[1:]]
    assert bodies == [b"1", b"ignored", b"3"]


async def test_head_has_the_length_and_no_body(served: Served) -> None:
    answer = await say(served, b"HEAD /ignore HTTP/1.1\r\nHost: d\r\n\r\n")

    assert b"Content-Length: 7" in answer
    assert answer.endswith(b"\r\n\r\n")


async def test_a_client_that_waits_for_100_continue_is_told_to(served: Served) -> None:
    reader, writer = await served.connect()
    writer.write(
        b"POST /echo HTTP/1.1\r\nHost: d\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    )

    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 \r\n\r\n"
    writer.write(b"ok")
    writer.write_eof()
    assert (await reader.read()).endswith(b"\r\n\r\nok")
    writer.close()


async def test_a_refusal_is_a_message_with_its_status(served: Served) -> None:
    answer = await say(served, b"GET /refuse?name=web HTTP/1.1\r\nHost: d\r\n\r\n")

    head, body = answer.split(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 404 Not Found")
    assert json.loads(body) == {"message": "No such thing: web"}


async def test_a_failure_nobody_foresaw_is_an_answer_too(served: Served) -> None:
    answer = await say(served, b"GET /broken HTTP/1.1\r\nHost: d\r\n\r\n")

    head, body = answer.split(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 500 ")
    assert json.loads(body) == {"message": "internal error: RuntimeError: nobody foresaw this"}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "body: not JSON"),
        (b"[1]", "body: expected an object, found list"),
        (b"\xff\xfe", "body: not JSON"),
        (b"[" * 100_000, "body: arrays and objects are nested too deeply"),
    ],
)
async def test_a_body_that_is_not_an_object_is_refused(
    served: Served, body: bytes, message: str
) -> None:
    head = b"POST /document HTTP/1.1\r\nHost: d\r\nContent-Length: %d\r\n\r\n" % len(body)

    answer = await say(served, head + body)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert message in json.loads(answer.split(b"\r\n\r\n")[1])["message"]


async def test_a_json_body_has_an_end(served: Served) -> None:
    size = 5 * 1024 * 1024
    head = b"POST /document HTTP/1.1\r\nHost: d\r\nContent-Length: %d\r\n\r\n" % size

    answer = await say(served, head + b" " * size)

    assert answer.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"nonsense\r\n\r\n",
        b"GET /ignore HTTP/1.1\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: d\r\nContent-Length: x\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: d\r\nContent-Length: 5\r\n\r\nabc",
        b"POST /echo HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_bytes_that_are_not_http_are_refused_and_the_connection_closed(
    served: Served, request_bytes: bytes
) -> None:
    answer = await say(served, request_bytes)

    head, body = answer.split(b"\r\n\r\n", 1)
    assert head.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 501 ", b"HTTP/1.1 505 "))
    assert json.loads(body)["message"].startswith("malformed request: ")


async def test_a_refusal_of_odd_bytes_is_json_whatever_they_are(served: Served) -> None:
    for odd in (b'"', b"\\", b"\x7f", "ß".encode(), b"\x01"):
        answer = await say(served, b"GE" + odd + b"T / HTTP/1.1\r\nHost: d\r\n\r\n")

        head, body = answer.split(b"\r\n\r\n", 1)
        assert (
            b"Content-Type: application/json" in head or b"content-type: application/json" in head
        )
        assert json.loads(body)["message"].startswith("malformed request: ")


async def test_headers_have_a_bound(served: Served) -> None:
    answer = await say(served, b"GET /ignore HTTP/1.1\r\nX: " + b"x" * 100_000)

    assert answer.startswith(b"HTTP/1.1 431 ")


async def test_a_web_page_is_refused(served: Served) -> None:
    answer = await say(served, b"GET /ignore HTTP/1.1\r\nHost: d\r\nOrigin: http://evil\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 403 ")


async def test_a_streamed_answer_is_chunked_and_starts_before_it_ends(served: Served) -> None:
    reader, writer = await served.connect()
    writer.write(b"GET /stream HTTP/1.1\r\nHost: d\r\n\r\n")

    head = await reader.readuntil(b"\r\n\r\n")
    first = await reader.readexactly(8)
    served.release.set()
    rest = await reader.readexactly(13)

    assert b"Transfer-Encoding: chunked" in head
    assert first == b"3\r\none\r\n"
    assert rest == b"3\r\ntwo\r\n0\r\n\r\n"
    writer.close()


async def test_half_closing_does_not_end_a_stream(served: Served) -> None:
    reader, writer = await served.connect()
    writer.write(b"GET /stream HTTP/1.1\r\nHost: d\r\n\r\n")
    writer.write_eof()

    await reader.readuntil(b"one\r\n")
    assert not served.ended.is_set()
    served.release.set()

    assert (await reader.read()).endswith(b"two\r\n0\r\n\r\n")
    writer.close()


async def test_a_client_that_is_gone_ends_its_stream(served: Served) -> None:
    reader, writer = await served.connect()
    writer.write(b"GET /stream HTTP/1.1\r\nHost: d\r\n\r\n")
    await reader.readuntil(b"one\r\n")

    writer.close()

    await asyncio.wait_for(served.ended.wait(), 60)


async def test_an_answer_in_the_making_is_finished_though_nobody_waits(served: Served) -> None:
    _, writer = await served.connect()
    writer.write(b"POST /slow HTTP/1.1\r\nHost: d\r\n\r\n")
    await served.started.wait()
    stream, streaming = await served.connect()
    streaming.write(b"GET /stream HTTP/1.1\r\nHost: d\r\n\r\n")
    await stream.readuntil(b"one\r\n")

    writer.close()
    # The server sees disconnects in order: when it has ended the stream, it has seen both.
    streaming.close()
    await asyncio.wait_for(served.ended.wait(), 60)
    served.ended.clear()
    served.release.set()

    await asyncio.wait_for(served.ended.wait(), 60)


UPGRADE = b"POST /hijack HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"


async def test_an_upgrade_hands_over_the_raw_connection(served: Served) -> None:
    answer = await say(served, UPGRADE + b"\r\nhello")

    head, body = answer.split(b"\r\n\r\n")
    assert head == (
        b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\n"
        b"Connection: Upgrade\r\nUpgrade: tcp"
    )
    assert body == b"you said hello"


async def test_an_upgrade_with_a_body_starts_after_the_body(served: Served) -> None:
    answer = await say(served, UPGRADE + b"Content-Length: 4\r\n\r\n{  }stdin")

    assert answer.endswith(b"\r\n\r\nyou said stdin")


async def test_without_an_upgrade_the_raw_stream_follows_a_200(served: Served) -> None:
    answer = await say(served, b"POST /hijack HTTP/1.1\r\nHost: d\r\n\r\nhello")

    head, body = answer.split(b"\r\n\r\n")
    assert head == b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream"
    assert body == b"you said hello"


async def test_a_hijacked_connection_outlives_the_half_close(served: Served) -> None:
    reader, writer = await served.connect()
    writer.write(UPGRADE.replace(b"/hijack", b"/forever") + b"\r\n")
    writer.write_eof()
    await served.started.wait()

    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(served.ended.wait(), 0.05)
    writer.close()

    await asyncio.wait_for(served.ended.wait(), 60)
    assert reader is not None


async def test_input_that_a_hijacker_leaves_unread_does_not_reset_its_output(
    served: Served,
) -> None:
    reader, writer = await served.connect()
    writer.write(UPGRADE.replace(b"/hijack", b"/deaf") + b"\r\n" + bytes(1_000_000))
    await reader.readuntil(b"\r\n\r\n")

    served.release.set()

    assert await asyncio.wait_for(reader.read(), 60) == b"answer"
    await asyncio.wait_for(writer.drain(), 60)
    writer.close()


async def test_stopping_ends_streams_and_finishes_answers(directory: Path) -> None:
    served = Served(directory / "s")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(served.path))
    server = Server(served.handle)
    await server.start(listener)
    reader, writer = await served.connect()
    writer.write(b"POST /slow HTTP/1.1\r\nHost: d\r\n\r\n")
    await served.started.wait()

    closing = asyncio.create_task(server.aclose())
    await asyncio.sleep(0)
    served.release.set()
    await closing

    assert (await reader.read()).endswith(b"\r\n\r\ndone")
    writer.close()
