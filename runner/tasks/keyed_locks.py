"""KeyedLocks: one lock for each key, kept while it is held or waited for."""

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class _CountedLock:
    """A lock, with the number of its holders and waiters."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.users = 0


class KeyedLocks(Generic[K]):
    """Locks by key, for one event loop: of one key there is one holder, the others wait in turn.

    A key needs no preparation, and nothing of it remains after its last user has left, be that
    by an exception or by a cancellation, while it holds the lock or waits for it.
    """

    def __init__(self) -> None:
        self._locks: dict[K, _CountedLock] = {}

    @asynccontextmanager
    async def hold(self, key: K) -> AsyncIterator[None]:
        """Hold the key's lock inside the block; not reentrant."""
        counted = self._locks.setdefault(key, _CountedLock())
        # Count users, do not ask whether the lock is free: just after a release it is, though
        # the next waiter is about to have it, and a newcomer would then get a lock of its own.
        counted.users += 1
        try:
            async with counted.lock:
                yield
        finally:
            counted.users -= 1
            if not counted.users:
                del self._locks[key]

    def in_use(self) -> frozenset[K]:
        """The keys whose locks are held or waited for."""
        return frozenset(self._locks)
