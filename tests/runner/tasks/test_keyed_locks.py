"""Keyed locks: one holder of a key at any time, and nothing left of a key that nobody uses."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from runner.tasks.keyed_locks import KeyedLocks


class Users:
    """Tasks that hold a key's lock until they are told to leave, and the most that held one."""

    def __init__(self, locks: KeyedLocks[str]) -> None:
        self._locks = locks
        self._inside: list[str] = []
        self.peak = 0
        self.entered: dict[str, asyncio.Event] = {}
        self.leave: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    def begin(self, name: str, key: str = "key") -> None:
        """Make a user, which begins at the next turn of the loop."""
        self.entered[name], self.leave[name] = asyncio.Event(), asyncio.Event()
        self.tasks[name] = asyncio.create_task(self._use(name, key))

    async def start(self, name: str, key: str = "key") -> None:
        """Make a user, and let it come as far as it can while the others stay."""
        self.begin(name, key)
        await self.settle()

    async def let_go(self, name: str) -> None:
        self.leave[name].set()
        await self.tasks[name]

    async def settle(self) -> None:
        """Give every task that can run as many turns as any of them needs."""
        for _ in range(10):
            await asyncio.sleep(0)

    async def _use(self, name: str, key: str) -> None:
        async with self._locks.hold(key):
            self._inside.append(name)
            self.peak = max(self.peak, len(self._inside))
            self.entered[name].set()
            try:
                await self.leave[name].wait()
            finally:
                self._inside.remove(name)


@pytest.fixture
def locks() -> KeyedLocks[str]:
    return KeyedLocks()


@pytest.fixture
async def users(locks: KeyedLocks[str]) -> AsyncIterator[Users]:
    users = Users(locks)
    yield users
    for task in users.tasks.values():
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_one_that_comes_after_a_handing_over_waits_too(users: Users) -> None:
    await users.start("first")
    await users.start("second")
    await users.let_go("first")
    await users.entered["second"].wait()

    await users.start("third")

    assert not users.entered["third"].is_set()
    await users.let_go("second")
    await users.let_go("third")
    assert users.peak == 1


async def test_one_that_comes_during_a_handing_over_waits_too(users: Users) -> None:
    """The lock is free for a moment: released, and not yet taken by the one that waited."""
    await users.start("first")
    await users.start("second")
    users.leave["first"].set()

    for name in "abcd":
        # One turn of the loop between two of them: some come before, some at the hand-over.
        users.begin(name)
        await asyncio.sleep(0)
    await users.settle()

    assert users.peak == 1
    for name in ("second", *"abcd"):
        await users.let_go(name)
    assert users.peak == 1


async def test_two_keys_are_held_side_by_side(users: Users) -> None:
    await users.start("first", "a")

    await users.start("second", "b")

    assert users.entered["second"].is_set()


async def test_a_waiter_that_is_cancelled_lets_nobody_in(
    users: Users, locks: KeyedLocks[str]
) -> None:
    await users.start("first")
    await users.start("second")

    users.tasks["second"].cancel()
    await asyncio.wait([users.tasks["second"]])
    await users.start("third")

    assert not users.entered["third"].is_set()
    await users.let_go("first")
    await users.let_go("third")
    assert users.peak == 1
    assert locks.in_use() == frozenset()


async def test_a_waiter_that_is_cancelled_as_its_turn_comes_passes_it_on(
    users: Users, locks: KeyedLocks[str]
) -> None:
    await users.start("first")
    await users.start("second")
    await users.start("third")

    await users.let_go("first")
    users.tasks["second"].cancel()
    await asyncio.wait([users.tasks["second"]])
    await users.let_go("third")

    assert users.entered["third"].is_set()
    assert users.peak == 1
    assert locks.in_use() == frozenset()


async def test_a_holder_that_fails_lets_the_next_in(users: Users, locks: KeyedLocks[str]) -> None:
    async def fail() -> None:
        async with locks.hold("key"):
            await users.start("second")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await fail()

    await asyncio.wait_for(users.entered["second"].wait(), 60)


async def test_the_keys_in_use_are_those_held_and_waited_for(
    users: Users, locks: KeyedLocks[str]
) -> None:
    await users.start("first", "a")
    await users.start("second", "a")
    await users.start("other", "b")
    assert locks.in_use() == {"a", "b"}

    await users.let_go("first")
    assert locks.in_use() == {"a", "b"}

    await users.let_go("second")
    assert locks.in_use() == {"b"}


async def test_nothing_remains_of_a_thousand_keys(locks: KeyedLocks[str]) -> None:
    for number in range(1000):
        async with locks.hold(f"key-{number}"):
            pass

    assert locks.in_use() == frozenset()
