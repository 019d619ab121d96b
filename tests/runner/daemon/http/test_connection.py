"""Connection: requests one by one, and bytes both ways after a takeover."""

import asyncio
import socket
from collections.abc import AsyncIterator
from http import HTTPStatus

import h11
import pytest

from runner.daemon.http.connection import Connection
from runner.daemon.http.messages import Response

BODY = b"x" * 200_000


@pytest.fixture
async def pair() -> AsyncIterator[tuple[Connection, asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection of the server's, and its client's two ends."""
    ours, theirs = socket.socketpair()
    connection = Connection(*await asyncio.open_connection(sock=ours))
    reader, writer = await asyncio.open_connection(sock=theirs)
    yield connection, reader, writer
    writer.close()
    await connection.aclose()


Pair = tuple[Connection, asyncio.StreamReader, asyncio.StreamWriter]


async def test_a_request_has_its_parts(pair: Pair) -> None:
    connection, _, writer = pair
    writer.write(b"POST /v1.44/x?a=1&a=2 HTTP/1.1\r\nHost: d\r\nContent-Length: 5\r\n\r\nhello")

    request = await connection.next_request()

    assert request is not None
    assert (request.method, request.path) == ("POST", "/v1.44/x")
    assert request.query.all("a") == ["1", "2"]
    assert b"".join([chunk async for chunk in request.body]) == b"hello"


async def test_requests_follow_each_other_though_a_body_was_not_read(pair: Pair) -> None:
    connection, reader, writer = pair
    head = b"POST /first HTTP/1.1\r\nHost: d\r\nContent-Length: %d\r\n\r\n" % len(BODY)
    writer.write(head + BODY + b"GET /second HTTP/1.1\r\nHost: d\r\n\r\n")
    await connection.next_request()
    await connection.respond(Response(HTTPStatus.OK), b"answer")

    assert await connection.reusable()
    second = await connection.next_request()

    assert second is not None
    assert second.path == "/second"
    assert b"\r\nContent-Length: 6\r\n" in await reader.readuntil(b"answer")


async def test_a_client_that_leaves_ends_the_requests(pair: Pair) -> None:
    connection, _, writer = pair
    writer.close()

    assert await connection.next_request() is None


@pytest.mark.parametrize("sent", [b"nonsense\r\n\r\n", b"GET /\xff HTTP/1.1\r\nHost: d\r\n\r\n"])
async def test_malformed_http_is_told(sent: bytes, pair: Pair) -> None:
    connection, _, writer = pair
    writer.write(sent)

    with pytest.raises(h11.RemoteProtocolError):
        await connection.next_request()


async def test_a_response_without_a_body_has_no_length(pair: Pair) -> None:
    connection, reader, writer = pair
    writer.write(b"DELETE /x HTTP/1.1\r\nHost: d\r\n\r\n")
    await connection.next_request()

    await connection.respond(Response(HTTPStatus.NO_CONTENT), b"")

    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 204 No Content\r\n")
    assert b"Content-Length" not in head


async def test_a_streams_head_is_sent_before_its_first_chunk(pair: Pair) -> None:
    connection, reader, writer = pair
    writer.write(b"GET /x HTTP/1.1\r\nHost: d\r\n\r\n")
    await connection.next_request()
    go_on = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        await go_on.wait()
        yield b"chunk"

    streaming = asyncio.create_task(connection.stream(Response(), body()))
    async with asyncio.timeout(60):
        head = await reader.readuntil(b"\r\n\r\n")
    go_on.set()
    await streaming

    assert b"Transfer-Encoding: chunked" in head
    assert await reader.readuntil(b"0\r\n\r\n") == b"5\r\nchunk\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("upgrade", "status"), [(b"Upgrade: tcp\r\n", b"101 UPGRADED"), (b"", b"200 OK")]
)
async def test_a_takeover_keeps_bytes_that_came_with_the_request(
    upgrade: bytes, status: bytes, pair: Pair
) -> None:
    connection, reader, writer = pair
    head = b"POST /attach HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\n" + upgrade
    writer.write(head + b"\r\nearly")
    await connection.next_request()

    await connection.take_over("application/vnd.docker.raw-stream")
    early = await connection.read()
    writer.write(b"late")

    assert (early, await connection.read()) == (b"early", b"late")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 " + status)


async def test_unread_bytes_of_a_client_do_not_lose_the_output(pair: Pair) -> None:
    connection, reader, writer = pair
    writer.write(BODY)
    writer.write_eof()
    await connection.write(b"output")

    async with asyncio.timeout(60):
        await connection.finish()
    await connection.aclose()

    assert await reader.read() == b"output"
