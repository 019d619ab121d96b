"""Pools: a bounded number of connection pools; each is closed with its last request.

A daemon that lives for months asks ever new servers: registries, token servers, and the storage
that they redirect to.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx2

from runner.remote.transport.origin import Origin
from runner.remote.transport.tls import TrustState

MAX_POOLS = 64

Key = tuple[Origin, bool]
"""A server, and whether its pool accepts only pinned requests."""


@dataclass(slots=True)
class _Pool:
    client: httpx2.AsyncClient
    trust: TrustState
    requests: int = 0
    replaced: bool = False

    async def close_if_unused(self) -> None:
        if self.replaced and not self.requests:
            await self.client.aclose()


class Pools:
    """The most recently used pools, at most ``limit``, until ``aclose``."""

    def __init__(self, limit: int = MAX_POOLS) -> None:
        self._limit = limit
        # The least recently used one first.
        self._pools: dict[Key, _Pool] = {}

    @asynccontextmanager
    async def use(
        self, key: Key, trust: TrustState, make: Callable[[], httpx2.AsyncClient]
    ) -> AsyncIterator[httpx2.AsyncClient]:
        """Keep the server's pool open inside the block; one made for another ``trust`` is replaced.

        A pool that is replaced, or the least recently used of too many, is closed once it has no
        requests.
        """
        found = self._pools.get(key)
        pool = found if found is not None and found.trust == trust else _Pool(make(), trust)
        old = [] if found is None or found is pool else [found]
        self._pools.pop(key, None)
        self._pools[key] = pool
        while len(self._pools) > self._limit:
            old.append(self._pools.pop(next(iter(self._pools))))
        pool.requests += 1
        try:
            for each in old:
                each.replaced = True
                await each.close_if_unused()
            yield pool.client
        finally:
            pool.requests -= 1
            await pool.close_if_unused()

    async def aclose(self) -> None:
        """Close every pool, even one with requests."""
        pools, self._pools = self._pools, {}
        for pool in pools.values():
            await pool.client.aclose()
