"""Pools: how many are kept, and when one is closed."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from runner.credentials import Credentials
from runner.remote import client
from runner.remote.client import RegistryClients
from runner.remote.transport.origin import Origin
from runner.remote.transport.pools import Pools

TRUST = (("ca.crt", 1, 1),)


def key(name: str) -> tuple[Origin, bool]:
    return Origin("https", f"{name}.test", 443), False


@pytest.fixture
async def pools() -> AsyncIterator[Pools]:
    pools = Pools(limit=2)
    yield pools
    await pools.aclose()


async def use(pools: Pools, name: str) -> httpx2.AsyncClient:
    async with pools.use(key(name), TRUST, httpx2.AsyncClient) as pool:
        return pool


async def test_the_least_recently_used_pool_is_closed(pools: Pools) -> None:
    first, second = await use(pools, "a"), await use(pools, "b")

    assert await use(pools, "a") is first
    third = await use(pools, "c")

    assert (first.is_closed, second.is_closed, third.is_closed) == (False, True, False)
    assert await use(pools, "b") is not second


async def test_a_pool_is_closed_with_its_last_request(pools: Pools) -> None:
    async with pools.use(key("a"), TRUST, httpx2.AsyncClient) as first:
        async with pools.use(key("a"), TRUST, httpx2.AsyncClient):
            for name in "bcd":
                await use(pools, name)
            assert not first.is_closed
        assert not first.is_closed
    assert first.is_closed


async def test_a_pool_of_another_trust_is_replaced_unless_the_new_one_cannot_be_made(
    pools: Pools,
) -> None:
    first = await use(pools, "a")

    def refuse() -> httpx2.AsyncClient:
        raise OSError("ca.crt: not usable")

    with pytest.raises(OSError, match="not usable"):
        async with pools.use(key("a"), (), refuse):
            raise AssertionError
    assert await use(pools, "a") is first
    async with pools.use(key("a"), (), httpx2.AsyncClient) as second:
        assert second is not first

    assert first.is_closed


async def test_at_the_end_every_pool_is_closed(pools: Pools) -> None:
    async with pools.use(key("a"), TRUST, httpx2.AsyncClient) as used:
        idle = await use(pools, "b")

        await pools.aclose()

        assert used.is_closed
        assert idle.is_closed


async def test_the_most_recently_used_authorizers_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "MAX_AUTHORIZERS", 2)
    clients = RegistryClients()
    users = [Credentials(name, "secret") for name in ("a", "b", "c")]
    a, b = (clients.authorizer("registry.test", user) for user in users[:2])

    assert clients.authorizer("registry.test", users[0]) is a
    c = clients.authorizer("registry.test", users[2])

    assert clients.authorizer("registry.test", users[0]) is a
    assert clients.authorizer("registry.test", users[2]) is c
    assert clients.authorizer("registry.test", users[1]) is not b
    await clients.aclose()
