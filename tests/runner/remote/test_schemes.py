"""Registries of this machine: in plain HTTP, or by TLS if that is what they speak."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx2
import pytest

from oci.reference import RepositoryName, Tag
from runner.errors import Unavailable
from runner.remote.client import RegistryClients
from runner.remote.fetch import fetch_manifest
from runner.remote.retry import RetryPolicy
from runner.remote.schemes import Schemes
from runner.remote.transport.origin import Origin
from tests.support.images import an_image
from tests.support.ports import free_port
from tests.support.runner.fake_registry import FakeRegistry
from tests.support.tls import tls_contexts

SOURCE = an_image()
TAG = Tag("latest")


@pytest.fixture
async def clients() -> AsyncIterator[RegistryClients]:
    clients = RegistryClients(retry_policy=RetryPolicy(tries=1))
    yield clients
    await clients.aclose()


@pytest.fixture
async def registry() -> AsyncIterator[FakeRegistry]:
    async with FakeRegistry() as registry:
        registry.put(SOURCE)
        yield registry


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def tls_in_front(port: int, directory: Path) -> AsyncIterator[str]:
    """The host of a server that speaks TLS, with a certificate that nobody knows, for another."""

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_copy(reader, forth), _copy(back, writer))

    context, _ = tls_contexts(directory)
    server = await asyncio.start_server(relay, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def pull(clients: RegistryClients, host: str) -> bytes:
    repository = clients.repository(host, RepositoryName("app"))
    return (await fetch_manifest(repository, TAG)).document.content


async def test_a_registry_of_this_machine_may_speak_tls(
    registry: FakeRegistry, clients: RegistryClients, tmp_path: Path
) -> None:
    async with tls_in_front(registry.port, tmp_path) as host:
        content = await pull(clients, host)
        again = await pull(clients, host)

    assert content == again == SOURCE.manifest
    assert clients.schemes.origin(host).scheme == "https"
    assert len(registry.seen) == 2


async def test_one_that_speaks_plain_http_is_connected_to_once(
    registry: FakeRegistry, clients: RegistryClients
) -> None:
    assert await pull(clients, registry.host) == SOURCE.manifest

    assert clients.schemes.origin(registry.host).scheme == "http"
    assert len(registry.seen) == 1


@pytest.mark.parametrize(
    ("status", "content_type", "of_plain_http"),
    [
        (200, "application/json", True),
        (400, "application/json; charset=utf-8", True),
        (404, "text/html", True),
        # Go, and nginx, to plain HTTP on a port of HTTPS.
        (400, "", False),
        (400, "text/html", False),
    ],
)
async def test_a_refusal_that_no_registry_gives_is_a_reason_to_try_tls(
    registry: FakeRegistry, tmp_path: Path, status: int, content_type: str, of_plain_http: bool
) -> None:
    schemes = Schemes(())
    answer = httpx2.Response(status, headers={"Content-Type": content_type})
    async with tls_in_front(registry.port, tmp_path) as host:
        assert schemes.record_response(host, answer) is of_plain_http

        assert await schemes.speaks_tls(host) is not of_plain_http


async def test_nobody_there_is_nobody_there(clients: RegistryClients) -> None:
    with pytest.raises(Unavailable):
        await pull(clients, f"127.0.0.1:{free_port()}")


def test_other_hosts_are_checked_and_never_spoken_to_in_plain_http() -> None:
    schemes = Schemes({"listed.test:80"})

    origin = schemes.origin("registry.test")

    assert origin == Origin("https", "registry.test", 443)
    assert schemes.is_checked(origin)
    assert schemes.origin("listed.test:80") == Origin("http", "listed.test", 80)
