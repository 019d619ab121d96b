"""Answers that come slowly, or never."""

import asyncio
import socket
from collections.abc import AsyncIterator

import httpx2
import pytest

from oci.reference import RepositoryName, Tag
from runner.errors import Kind, Unavailable
from runner.remote import client, wire
from runner.remote.client import RegistryClients
from runner.remote.fetch import fetch_manifest
from runner.remote.retry import RetryPolicy
from runner.remote.wire import SLOW_SECONDS, SLOWEST_BYTES_PER_SECOND, body_chunks, send


@pytest.fixture
async def clients(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RegistryClients]:
    """One try, and little time for it."""
    monkeypatch.setattr(client, "RESPONSE_SECONDS", 0.2)
    monkeypatch.setattr(wire, "RESPONSE_SECONDS", 0.2)
    clients = RegistryClients(retry_policy=RetryPolicy(tries=1))
    yield clients
    await clients.aclose()


async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An answer without end, a byte at a time."""
    start = await reader.readline()
    writer.write(b"HTTP/1.1 200 OK\r\n")
    if b"slow-body" in start:
        writer.write(b"Content-Length: 1000000\r\n\r\n")
    try:
        while not writer.is_closing():
            writer.write(b"X")
            await writer.drain()
            await asyncio.sleep(0.01)
    except ConnectionError:
        pass
    finally:
        writer.close()


@pytest.mark.parametrize("name", ["slow-head", "slow-body"])
async def test_an_answer_by_the_byte_is_not_waited_for(name: str, clients: RegistryClients) -> None:
    server = await asyncio.start_server(trickle, "127.0.0.1", 0)
    host = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    repository = clients.repository(host, RepositoryName(name))

    async with server:
        with pytest.raises(Unavailable, match=r"0\.2 seconds"):
            await fetch_manifest(repository, Tag("latest"))


class SomeBody(httpx2.AsyncByteStream):
    """Chunks, each after a wait by a clock of the test's own."""

    def __init__(self, chunks: list[tuple[float, int]]) -> None:
        self._chunks = chunks
        self.now = 0.0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for seconds, size in self._chunks:
            self.now += seconds
            yield bytes(size)


async def read(body: SomeBody, *, pause: float = 0.0) -> int:
    """How many bytes came; ``pause`` is what is done with each chunk."""
    request = httpx2.Request("GET", "http://registry.test/")
    response = httpx2.Response(200, stream=body, request=request)
    received = 0
    async for chunk in body_chunks(response, lambda: body.now):
        received += len(chunk)
        body.now += pause
    return received


async def test_a_body_by_the_byte_is_given_up() -> None:
    with pytest.raises(Unavailable, match="sent 60 bytes in 60 seconds"):
        await read(SomeBody([(1.0, 1)] * 1000))


async def test_a_body_that_comes_fast_enough_is_read_however_slow_its_reader() -> None:
    size = SLOWEST_BYTES_PER_SECOND

    assert await read(SomeBody([(1.0, size)] * 200)) == 200 * size
    assert await read(SomeBody([(0.001, 1)] * 200), pause=SLOW_SECONDS) == 200


async def test_a_port_where_nothing_listens_is_told_in_the_systems_words() -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        port = unheard.getsockname()[1]
        async with httpx2.AsyncClient() as pool:
            request = pool.build_request("GET", f"http://127.0.0.1:{port}/v2/")

            with pytest.raises(Unavailable, match="cannot ask: Connection refused") as caught:
                async with send(pool, request, "ask"):
                    pass

    assert caught.value.kind is Kind.REGISTRY_UNREACHABLE
