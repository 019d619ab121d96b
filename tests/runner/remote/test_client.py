"""RegistryClients: pools, redirects, and the check of a login."""

from pathlib import Path

import pytest

from runner.credentials import Credentials
from runner.errors import Unauthorized
from runner.remote.client import RegistryClients, check_login
from runner.remote.transport.origin import Origin
from tests.runner.remote.conftest import ALICE, BASIC, needs_basic
from tests.support.runner.fake_registry import FakeRegistry, Reply
from tests.support.tls import tls_contexts


async def test_wrong_credentials_are_told_and_not_tried_for_ever(
    registry: FakeRegistry, clients: RegistryClients
) -> None:
    needs_basic(registry)

    with pytest.raises(Unauthorized, match=r"refused to log in: 401"):
        await check_login(clients.registry(registry.host, Credentials("alice", "wrong")))

    assert len(registry.seen) == 2


async def test_right_credentials_log_in(registry: FakeRegistry, clients: RegistryClients) -> None:
    needs_basic(registry)

    checked = await check_login(clients.registry(registry.host, ALICE))

    assert checked
    assert registry.seen[-1].headers["authorization"] == BASIC


async def test_a_registry_that_asks_for_no_credentials_has_not_checked_any(
    registry: FakeRegistry, clients: RegistryClients
) -> None:
    registry.on("GET", "/v2/", Reply(body=b"{}"))

    assert not await check_login(clients.registry(registry.host, ALICE))


async def test_a_pool_is_made_anew_when_another_authority_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = tmp_path / "system.pem"
    monkeypatch.setenv("SSL_CERT_FILE", str(system))
    clients, origin = RegistryClients(), Origin("https", "registry.test", 443)
    tls_contexts(tmp_path)

    async with clients.pool(origin) as first:
        (tmp_path / "certificate.pem").rename(system)
        async with clients.pool(origin) as second, clients.pool(origin) as third:
            assert first is not second
            assert second is third
        closed = [first.is_closed]

    closed += [first.is_closed, second.is_closed]
    await clients.aclose()
    assert [*closed, second.is_closed] == [False, True, False, True]
