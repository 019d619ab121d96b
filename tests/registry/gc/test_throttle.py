"""Throttle: waits and batch sizes of background work."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import Connection

from registry.gc import throttle
from registry.gc.throttle import LockThrottle
from registry.storage.database.sqlite import SQLiteDatabase
from tests.support.registry import schema
from tests.support.registry.guards import MemoryGuard

HELD = 0.02


@pytest.fixture
def database_path(tmp_path: Path) -> Path:
    schema.upgrade(tmp_path / "db")
    return tmp_path / "db"


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits asked for, none of which happens."""
    asked: list[float] = []
    sleep = asyncio.sleep

    async def ask(seconds: float) -> None:
        asked.append(seconds)
        await sleep(0)

    monkeypatch.setattr("registry.gc.throttle.asyncio.sleep", ask)
    return asked


def hold(_: Connection) -> None:
    time.sleep(HELD)


@pytest.mark.parametrize(("share", "times"), [(0.02, 49), (0.1, 9), (0.5, 1)])
async def test_it_waits_until_a_hold_is_its_share_of_the_time(
    database_path: Path, waits: list[float], share: float, times: int
) -> None:
    async with SQLiteDatabase(database_path, MemoryGuard()) as database:
        throttle = LockThrottle(database, "gc", share)
        await throttle.run(hold)
        before = time.monotonic()
        await throttle.run(hold)
        passed = time.monotonic() - before

    # Time before it asked counts, and is no more than the whole second unit took.
    assert waits[1] >= HELD * times - passed


async def test_a_hold_is_counted_with_its_commit(
    database_path: Path, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with SQLiteDatabase(database_path, MemoryGuard()) as database:
        throttle = LockThrottle(database, "gc", 0.02)
        write = database.write

        async def slow_commit(unit: object, *, on: None, purpose: str) -> object:
            result = await write(unit, on=on, purpose=purpose)  # type: ignore[arg-type, var-annotated]
            database.lock_times.of(purpose).add(1000.0)
            return result

        monkeypatch.setattr(database, "write", slow_commit)
        await throttle.run(lambda _: None)
        await throttle.run(lambda _: None)

    assert waits[1] > 40


async def test_units_grow_while_they_are_quick_and_shrink_when_they_are_slow(
    database_path: Path, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    seconds = 0.0
    clock = SimpleNamespace(perf_counter=lambda: seconds, monotonic=lambda: seconds)
    monkeypatch.setattr("registry.gc.throttle.time", clock)

    def unit(some: Sequence[int], _: Connection) -> None:
        nonlocal seconds
        sizes.append(len(some))
        if len(sizes) > 5:
            seconds += HELD

    async with SQLiteDatabase(database_path, MemoryGuard()) as database:
        await LockThrottle(database, "gc", 0.02).run_batches(range(200), unit)

    assert sizes[0] == throttle.MIN_ITEMS_PER_BATCH
    assert max(sizes) <= throttle.MAX_ITEMS_PER_BATCH
    assert max(sizes) > 2 * throttle.MIN_ITEMS_PER_BATCH
    assert sizes[-2] == throttle.MIN_ITEMS_PER_BATCH
    assert sum(sizes) == 200
