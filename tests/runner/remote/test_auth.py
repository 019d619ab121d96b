"""Authorization: challenges, tokens, and who gets to see credentials."""

import pytest

from oci.reference import RepositoryName, Tag
from runner.credentials import Credentials
from runner.errors import NotFound, Unauthorized
from runner.remote.client import RegistryClients, RemoteRepository
from runner.remote.errors import RemoteUntrusted
from runner.remote.fetch import fetch_manifest
from tests.runner.remote.conftest import ALICE, BASIC, needs_basic
from tests.support.runner.fake_registry import FakeRegistry, Reply, Seen, envelope

TAG = Tag("latest")


def app(
    clients: RegistryClients, registry: FakeRegistry, credentials: Credentials | None = None
) -> RemoteRepository:
    return clients.repository(registry.host, RepositoryName("app"), credentials)


def needs_token(registry: FakeRegistry, token: Reply) -> None:
    """Bearer, from /token; the only good one is called ``good``."""
    challenge = (
        f'Bearer realm="{registry.url}/token",service="registry",scope="repository:app:pull"'
    )

    def behave(seen: Seen) -> Reply | None:
        if seen.path == "/token":
            return token
        if seen.headers.get("authorization") == "Bearer good":
            return None
        return Reply(401, headers={"WWW-Authenticate": challenge})

    registry.behaviours.append(behave)


GOOD = Reply(body=b'{"token":"good","expires_in":300}')


async def test_nothing_is_sent_unasked(registry: FakeRegistry, clients: RegistryClients) -> None:
    await fetch_manifest(app(clients, registry, ALICE), TAG)

    assert ["authorization" in seen.headers for seen in registry.seen] == [False]


async def test_basic_is_answered_once_and_then_sent_ahead(
    registry: FakeRegistry, clients: RegistryClients
) -> None:
    needs_basic(registry)

    for _ in range(2):
        await fetch_manifest(app(clients, registry, ALICE), TAG)

    assert [seen.headers.get("authorization") for seen in registry.seen] == [None, BASIC, BASIC]


async def test_a_token_is_asked_for_the_scope_and_kept(
    registry: FakeRegistry, clients: RegistryClients
) -> None:
    needs_token(registry, GOOD)

    for _ in range(2):
        await fetch_manifest(app(clients, registry, ALICE), TAG)

    (asked,) = registry.asked("GET", "/token")
    assert asked.query == {
        "service": ["registry"],
        "scope": ["repository:app:pull"],
        "account": ["alice"],
    }
    assert asked.headers["authorization"] == BASIC


async def test_without_credentials_an_anonymous_token_is_asked_for(
    registry: FakeRegistry, clients: RegistryClients
) -> None:
    needs_token(registry, Reply(body=b'{"access_token":"good"}'))

    await fetch_manifest(app(clients, registry), TAG)

    (asked,) = registry.asked("GET", "/token")
    assert "authorization" not in asked.headers
    assert "account" not in asked.query


async def test_a_token_that_expired_is_asked_for_again(
    registry: FakeRegistry, clients: RegistryClients
) -> None:
    needs_token(registry, Reply(body=b'{"token":"good","expires_in":1}'))

    for _ in range(2):
        await fetch_manifest(app(clients, registry), TAG)

    assert len(registry.asked("GET", "/token")) == 2


async def test_an_identity_token_is_exchanged_by_oauth2(
    registry: FakeRegistry, clients: RegistryClients
) -> None:
    needs_token(registry, Reply(body=b'{"access_token":"good"}'))
    identity = Credentials("", "", "refresh-me")

    await fetch_manifest(app(clients, registry, identity), TAG)

    (asked,) = registry.asked("POST", "/token")
    assert b"grant_type=refresh_token" in asked.body
    assert b"refresh_token=refresh-me" in asked.body
    assert b"scope=repository%3Aapp%3Apull" in asked.body


async def test_a_registry_token_is_sent_as_it_is(
    registry: FakeRegistry, clients: RegistryClients
) -> None:
    needs_token(registry, GOOD)

    await fetch_manifest(app(clients, registry, Credentials("", "", "", "good")), TAG)

    assert [seen.headers["authorization"] for seen in registry.seen] == ["Bearer good"]


async def test_a_token_server_that_refuses_says_why(
    registry: FakeRegistry, clients: RegistryClients
) -> None:
    needs_token(registry, envelope(401, "UNAUTHORIZED", "no such user"))

    with pytest.raises(Unauthorized, match="refused to give a token: 401 UNAUTHORIZED: no such"):
        await fetch_manifest(app(clients, registry, ALICE), TAG)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"token":3}',
        b'{"token":"a\\r\\nX-Evil: 1"}',
        b"<html>",
        b"[" * 100_000,
    ],
)
async def test_a_token_answer_without_a_token_is_refused(
    registry: FakeRegistry, clients: RegistryClients, body: bytes
) -> None:
    needs_token(registry, Reply(body=body))

    with pytest.raises((Unauthorized, RemoteUntrusted), match="token answer"):
        await fetch_manifest(app(clients, registry), TAG)


@pytest.mark.parametrize("seconds", [b"1e400", b"1" + b"0" * 400, b"NaN", b"-1", b"true", b'"9"'])
async def test_a_token_for_ever_or_for_nonsense_is_used_all_the_same(
    registry: FakeRegistry, clients: RegistryClients, seconds: bytes
) -> None:
    needs_token(registry, Reply(body=b'{"token":"good","expires_in":' + seconds + b"}"))

    await fetch_manifest(app(clients, registry), TAG)

    assert registry.seen[-1].headers["authorization"] == "Bearer good"


async def test_a_token_of_another_repository_is_not_used(
    registry: FakeRegistry, clients: RegistryClients
) -> None:
    needs_token(registry, GOOD)
    await fetch_manifest(app(clients, registry), TAG)

    with pytest.raises(NotFound):
        await fetch_manifest(clients.repository(registry.host, RepositoryName("other")), TAG)

    scopes = [seen.query["scope"] for seen in registry.asked("GET", "/token")]
    assert scopes == [["repository:app:pull"], ["repository:other:pull"]]


async def test_a_redirect_of_the_token_endpoint_is_not_followed(
    registry: FakeRegistry, clients: RegistryClients
) -> None:
    needs_token(registry, Reply(302, headers={"Location": "/elsewhere"}))

    with pytest.raises(RemoteUntrusted, match="give a token: 302"):
        await fetch_manifest(app(clients, registry, ALICE), TAG)

    assert registry.asked("GET", "/elsewhere") == []


async def test_a_realm_of_http_is_refused_even_on_a_listed_host(
    registry: FakeRegistry,
) -> None:
    clients = RegistryClients(auth_hosts={registry.host: ["auth.test"]})
    challenge = 'Bearer realm="http://auth.test/token"'
    registry.on("GET", "/", Reply(401, headers={"WWW-Authenticate": challenge}))

    with pytest.raises(RemoteUntrusted, match="which is another server"):
        await fetch_manifest(app(clients, registry, ALICE), TAG)

    await clients.aclose()
