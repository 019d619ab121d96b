"""Fetch: blobs that go on where a cut connection stopped."""

import os
from collections.abc import AsyncIterator

import pytest

from oci.descriptor import Descriptor
from oci.digest import Digest
from oci.mediatype import OCI_LAYER_TAR
from oci.reference import RepositoryName, Tag
from runner.errors import NotFound, Unavailable
from runner.remote.client import RegistryClients, RemoteRepository
from runner.remote.fetch import fetch_blob, fetch_manifest
from runner.remote.retry import RetryPolicy
from tests.support.images import an_image
from tests.support.ports import free_port
from tests.support.runner.chaos import ChaosProxy
from tests.support.runner.fake_registry import FakeRegistry, Reply

CONTENT = os.urandom(3_000_000)
BLOB = Descriptor(OCI_LAYER_TAR, Digest.of(CONTENT), len(CONTENT))


@pytest.fixture
async def registry() -> AsyncIterator[FakeRegistry]:
    async with FakeRegistry() as registry:
        registry.blobs[str(BLOB.digest)] = CONTENT
        yield registry


@pytest.fixture
async def clients() -> AsyncIterator[RegistryClients]:
    clients = RegistryClients(retry_policy=RetryPolicy(first_wait_seconds=0.001))
    yield clients
    await clients.aclose()


def app(clients: RegistryClients, host: str) -> RemoteRepository:
    return clients.repository(host, RepositoryName("app"))


async def whole(repository: RemoteRepository, offset: int = 0) -> bytes:
    return b"".join([chunk async for chunk in fetch_blob(repository, BLOB, offset)])


async def test_a_cut_connection_goes_on_from_the_last_byte(
    registry: FakeRegistry, clients: RegistryClients
) -> None:
    async with ChaosProxy(registry.host, cuts=[700_000, 5, 1_200_000]) as proxy:
        content = await whole(app(clients, proxy.host))

    assert content == CONTENT
    starts = [seen.headers.get("range") for seen in registry.asked("GET", "/blobs/")]
    assert starts[0] is None
    assert all(start and start.startswith("bytes=") for start in starts[1:])
    assert proxy.connections == 4


async def test_a_registry_without_ranges_is_read_past_what_we_have(
    registry: FakeRegistry, clients: RegistryClients
) -> None:
    registry.on("GET", "/blobs/", Reply(body=CONTENT, cut=1_000_000), Reply(body=CONTENT))

    assert await whole(app(clients, registry.host)) == CONTENT


async def test_a_fetch_begins_where_it_is_told(
    registry: FakeRegistry, clients: RegistryClients
) -> None:
    assert await whole(app(clients, registry.host), 2_999_990) == CONTENT[-10:]
    assert registry.seen[-1].headers["range"] == "bytes=2999990-"


async def test_five_failures_without_progress_are_enough(
    registry: FakeRegistry, clients: RegistryClients
) -> None:
    async with ChaosProxy(registry.host, cuts=[10] * 100) as proxy:
        with pytest.raises(Unavailable):
            await whole(app(clients, proxy.host))

    # Five tries, and one to see whether the registry speaks TLS.
    assert proxy.connections == 6


async def test_failures_are_counted_anew_after_progress(
    registry: FakeRegistry, clients: RegistryClients
) -> None:
    content = os.urandom(12_000_000)
    blob = Descriptor(OCI_LAYER_TAR, Digest.of(content), len(content))
    registry.blobs[str(blob.digest)] = content

    async with ChaosProxy(registry.host, cuts=[1_500_000] * 7) as proxy:
        chunks = [chunk async for chunk in fetch_blob(app(clients, proxy.host), blob)]

    assert b"".join(chunks) == content
    assert proxy.connections == 8


async def test_a_blob_of_nothing_asks_for_nothing(
    registry: FakeRegistry, clients: RegistryClients
) -> None:
    nothing = Descriptor(OCI_LAYER_TAR, Digest.of(b""), 0)

    assert [chunk async for chunk in fetch_blob(app(clients, registry.host), nothing)] == []
    assert registry.seen == []


async def test_a_503_is_tried_again(registry: FakeRegistry, clients: RegistryClients) -> None:
    registry.put(an_image())
    registry.once("GET", "/manifests/", Reply(503))
    registry.once("GET", "/blobs/", Reply(502))

    await fetch_manifest(app(clients, registry.host), Tag("latest"))

    assert await whole(app(clients, registry.host)) == CONTENT


async def test_a_refusal_is_not_tried_again(
    registry: FakeRegistry, clients: RegistryClients
) -> None:
    with pytest.raises(NotFound, match=r"refused to pull .*/app:nothing: 404 MANIFEST_UNKNOWN"):
        await fetch_manifest(app(clients, registry.host), Tag("nothing"))

    assert len(registry.seen) == 1


async def test_a_server_that_is_not_there_is_named(clients: RegistryClients) -> None:
    host = f"127.0.0.1:{free_port()}"

    with pytest.raises(Unavailable, match=f"{host}: cannot pull {host}/app:latest: "):
        await fetch_manifest(app(clients, host), Tag("latest"))
