"""Pinned: a redirect goes to the address that was judged, whatever its name says later (SS-1)."""

import asyncio
import errno
import os
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from oci.descriptor import Descriptor
from oci.digest import Digest
from oci.mediatype import OCI_LAYER_TAR
from oci.reference import RepositoryName
from runner.errors import Unavailable
from runner.remote import client as remote_client
from runner.remote.client import RegistryClients
from runner.remote.errors import RemoteUntrusted
from runner.remote.fetch import fetch_blob
from runner.remote.retry import RetryPolicy
from runner.remote.transport.pinned import environment_proxy
from tests.support.runner.fake_registry import FakeRegistry, Reply
from tests.support.tls import tls_contexts

CONTENT = os.urandom(10_000)
BLOB = Descriptor(OCI_LAYER_TAR, Digest.of(CONTENT), len(CONTENT))
LOOPBACK, PUBLIC, OTHER, PUBLIC6 = "127.0.0.1", "192.0.2.1", "192.0.2.2", "2001:db8::1"


class Network:
    """Names and addresses beyond this machine, for one event loop.

    ``names`` holds what each name resolves to, the first answer first and the last for ever;
    ``machines`` the local port that stands for each address, the others refuse.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: dict[str, list[list[str]]] = {}
        self.machines: dict[str, int] = {}
        self.asked: list[str] = []
        self.connected: list[str] = []
        loop = asyncio.get_running_loop()
        self._getaddrinfo, self._connect = loop.getaddrinfo, loop.sock_connect
        monkeypatch.setattr(loop, "getaddrinfo", self.getaddrinfo)
        monkeypatch.setattr(loop, "sock_connect", self.sock_connect)

    async def getaddrinfo(self, host: Any, port: Any, **how: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        self.asked.append(name)
        answers = self.names.get(name)
        if answers is None:
            return await self._getaddrinfo(host, port, **{**how, "flags": socket.AI_NUMERICHOST})
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0))
            if ":" in address
            else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in answer
        ]

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        self.connected.append(address[0])
        port = self.machines.get(address[0])
        if port is None:
            raise ConnectionRefusedError(errno.ECONNREFUSED, f"{address[0]} refuses")
        host = LOOPBACK if sock.family is socket.AF_INET else f"::ffff:{LOOPBACK}"
        await self._connect(sock, (host, port))


@pytest.fixture
async def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    return Network(monkeypatch)


@pytest.fixture
async def registry(network: Network) -> AsyncIterator[FakeRegistry]:
    """``registry.test``, listed as insecure so that it needs no certificate."""
    async with FakeRegistry() as registry:
        network.names["registry.test"] = [[OTHER]]
        network.machines[OTHER] = registry.port
        yield registry


@pytest.fixture
async def store() -> AsyncIterator[FakeRegistry]:
    """The server that the registry redirects to, wherever the network puts it."""
    async with FakeRegistry() as store:
        store.on("GET", "/blob", Reply(body=CONTENT))
        yield store


@pytest.fixture
async def clients() -> AsyncIterator[RegistryClients]:
    clients = RegistryClients({"registry.test"}, retry_policy=RetryPolicy(1))
    yield clients
    await clients.aclose()


def redirect(server: FakeRegistry, part: str, to: str) -> None:
    server.on("GET", part, Reply(307, headers={"Location": to}))


async def pull(clients: RegistryClients, host: str = "registry.test") -> bytes:
    repository = clients.repository(host, RepositoryName("app"))
    return b"".join([chunk async for chunk in fetch_blob(repository, BLOB, 0)])


async def test_a_name_that_changes_its_answer_does_not_reach_this_machine(
    network: Network, registry: FakeRegistry, store: FakeRegistry, clients: RegistryClients
) -> None:
    network.names["store.test"] = [[PUBLIC], [LOOPBACK]]
    network.machines[LOOPBACK] = store.port
    redirect(registry, "/blobs/", "http://store.test/blob")

    with pytest.raises(Unavailable, match="Connection refused"):
        await pull(clients)

    assert network.connected == [OTHER, PUBLIC]
    assert store.seen == []


async def test_a_name_is_asked_once_for_each_hop_and_kept_in_the_request(
    network: Network, registry: FakeRegistry, store: FakeRegistry, clients: RegistryClients
) -> None:
    network.names["store.test"] = [[PUBLIC]]
    network.machines[PUBLIC] = store.port
    redirect(registry, "/blobs/", "http://store.test:8080/blob")

    assert await pull(clients) == CONTENT

    assert network.asked.count("store.test") == 1
    assert store.seen[0].headers["host"] == "store.test:8080"
    assert store.seen[0].target == "/blob"


async def test_a_server_that_redirects_to_itself_is_not_looked_for_again(
    network: Network, registry: FakeRegistry, store: FakeRegistry, clients: RegistryClients
) -> None:
    network.names["store.test"] = [[PUBLIC], [LOOPBACK]]
    network.machines |= {PUBLIC: store.port, LOOPBACK: registry.port}
    redirect(registry, "/blobs/", "http://store.test/first")
    store.on("GET", "/first", Reply(307, headers={"Location": "/blob", "Connection": "close"}))

    assert await pull(clients) == CONTENT

    assert set(network.connected) == {OTHER, PUBLIC}


async def test_every_hop_of_a_chain_is_judged_and_pinned(
    network: Network, registry: FakeRegistry, store: FakeRegistry, clients: RegistryClients
) -> None:
    network.names |= {"first.test": [[PUBLIC]], "store.test": [[PUBLIC], [LOOPBACK]]}
    network.machines |= {PUBLIC: store.port, LOOPBACK: registry.port}
    redirect(registry, "/blobs/", "http://first.test/first")
    redirect(store, "/first", "http://store.test/blob")

    assert await pull(clients) == CONTENT

    assert set(network.connected) == {OTHER, PUBLIC}
    assert [seen.headers["host"] for seen in store.seen] == ["first.test", "store.test"]


async def test_a_name_with_one_forbidden_address_is_refused(
    network: Network, registry: FakeRegistry, store: FakeRegistry, clients: RegistryClients
) -> None:
    network.names["store.test"] = [[PUBLIC, LOOPBACK]]
    network.machines |= {PUBLIC: store.port, LOOPBACK: store.port}
    redirect(registry, "/blobs/", "http://store.test/blob")

    with pytest.raises(RemoteUntrusted, match=r"which is 127\.0\.0\.1"):
        await pull(clients)

    assert store.seen == []


async def test_the_target_of_a_local_registrys_redirect_is_pinned_too(
    network: Network, registry: FakeRegistry, store: FakeRegistry, clients: RegistryClients
) -> None:
    """The hop is allowed wherever it leads; what its server redirects to next is not."""
    network.names["store.test"] = [[PUBLIC], [LOOPBACK]]
    network.machines |= {PUBLIC: store.port, LOOPBACK: registry.port}
    redirect(registry, "/blobs/", "http://store.test/first")
    store.on("GET", "/first", Reply(307, headers={"Location": "/blob", "Connection": "close"}))

    assert await pull(clients, "127.0.0.1:5000") == CONTENT

    assert network.connected[0] == LOOPBACK
    assert set(network.connected[1:]) == {PUBLIC}


async def test_the_next_address_serves_when_the_first_refuses(
    network: Network, registry: FakeRegistry, store: FakeRegistry, clients: RegistryClients
) -> None:
    network.names["store.test"] = [["192.0.2.9", PUBLIC]]
    network.machines[PUBLIC] = store.port
    redirect(registry, "/blobs/", "http://store.test/blob")

    assert await pull(clients) == CONTENT
    assert await pull(clients) == CONTENT

    # The second time the address that worked comes first, by the connection that was kept.
    assert [one for one in network.connected if one != OTHER] == ["192.0.2.9", PUBLIC]


async def test_an_ipv6_address_is_connected_to(
    network: Network, registry: FakeRegistry, store: FakeRegistry, clients: RegistryClients
) -> None:
    network.names["store.test"] = [[PUBLIC6]]
    network.machines[PUBLIC6] = store.port
    redirect(registry, "/blobs/", "http://store.test/blob")

    assert await pull(clients) == CONTENT

    assert network.connected == [OTHER, PUBLIC6]
    assert store.seen[0].headers["host"] == "store.test"


async def test_a_literal_ipv6_address_is_connected_to(
    network: Network, registry: FakeRegistry, store: FakeRegistry, clients: RegistryClients
) -> None:
    network.machines[PUBLIC6] = store.port
    redirect(registry, "/blobs/", f"http://[{PUBLIC6}]:8080/blob")

    assert await pull(clients) == CONTENT

    assert network.connected == [OTHER, PUBLIC6]
    assert store.seen[0].headers["host"] == f"[{PUBLIC6}]:8080"


@pytest.mark.parametrize(("name", "trusted"), [("localhost", True), ("store.test", False)])
async def test_a_certificate_is_verified_for_the_name(
    name: str,
    trusted: bool,
    network: Network,
    registry: FakeRegistry,
    clients: RegistryClients,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The certificate is for localhost and 127.0.0.1, and the name is at neither."""
    server, trusting = tls_contexts(tmp_path)
    asked: list[str | None] = []

    def note(tls: ssl.SSLObject, server_name: str | None, _: ssl.SSLContext) -> None:
        asked.append(server_name)

    server.sni_callback = note
    monkeypatch.setattr(remote_client, "tls_context", lambda _: trusting)
    network.names[name] = [[PUBLIC]]
    listener = await asyncio.start_server(_serve_blob, LOOPBACK, 0, ssl=server)
    network.machines[PUBLIC] = listener.sockets[0].getsockname()[1]
    redirect(registry, "/blobs/", f"https://{name}/blob")

    async with listener:
        if trusted:
            assert await pull(clients) == CONTENT
        else:
            with pytest.raises(Unavailable, match="Hostname mismatch"):
                await pull(clients)

    assert asked == [name]


async def _serve_blob(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(CONTENT) + CONTENT)
    writer.close()


@pytest.mark.parametrize(
    ("environment", "proxy"),
    [
        ({}, None),
        ({"https_proxy": "http://proxy.test:3128"}, "http://proxy.test:3128"),
        ({"HTTPS_PROXY": "proxy.test:3128"}, "http://proxy.test:3128"),
        ({"all_proxy": "http://proxy.test:3128"}, "http://proxy.test:3128"),
        ({"http_proxy": "http://proxy.test:3128"}, None),
        (
            {"https_proxy": "http://proxy.test:3128", "no_proxy": "other.test"},
            "http://proxy.test:3128",
        ),
        ({"https_proxy": "http://proxy.test:3128", "no_proxy": ".store.test"}, None),
        ({"https_proxy": "http://proxy.test:3128", "no_proxy": "*"}, None),
    ],
)
def test_the_environment_names_the_proxy(
    environment: dict[str, str], proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert environment_proxy("cdn.store.test") == proxy


async def test_through_a_proxy_the_proxy_is_given_the_name(
    network: Network,
    registry: FakeRegistry,
    clients: RegistryClients,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[bytes] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).splitlines()[0])
        writer.write(b"HTTP/1.1 403 Forbidden\r\n\r\n")
        writer.close()

    proxy = await asyncio.start_server(refuse, LOOPBACK, 0)
    network.machines[LOOPBACK] = proxy.sockets[0].getsockname()[1]
    network.names["store.test"] = [[PUBLIC]]
    monkeypatch.setenv("https_proxy", f"http://{LOOPBACK}:3128")
    redirect(registry, "/blobs/", "https://store.test/blob")

    async with proxy:
        with pytest.raises(Unavailable):
            await pull(clients)

    assert asked == [b"CONNECT store.test:443 HTTP/1.1"]
    assert network.connected == [OTHER, LOOPBACK]
