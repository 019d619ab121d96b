"""Epochs are counted over restarts and by several servers, never faster than time passes."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine

from registry.gc.epochs import (
    count_epoch,
    epochs_ahead,
    interval_seconds,
    is_worth_a_write,
    watching_epochs,
)
from registry.storage.metadata import epochs, tables
from registry.storage.metadata.epochs import EpochWatch, Newest
from tests.support.registry.clocks import YEAR_MS, FakeClock
from tests.support.registry.gc_service import SECOND, GcService, a_gc_service

EPOCH_MS = 10 * SECOND


async def test_no_jump_of_the_wall_clock_begins_an_epoch(gc_service: GcService) -> None:
    state = gc_service.service.state
    assert await count_epoch(state) == 1
    for _ in range(5):
        gc_service.clock.set_by(YEAR_MS)
        assert await count_epoch(state) == 1

    gc_service.clock.advance(EPOCH_MS)

    assert [await epochs_ahead(state), await count_epoch(state)] == [1, 2]
    assert [await epochs_ahead(state), await count_epoch(state)] == [0, 2]


async def test_time_that_no_process_watched_is_not_counted(tmp_path: Path) -> None:
    clock = FakeClock()
    for _ in range(3):
        async with a_gc_service(tmp_path, clock=clock) as registry:
            found = [await count_epoch(registry.service.state) for _ in range(2)]
            assert found == [1, 1]
        # The machine boots: the monotonic clock may begin anew, at less or at more.
        clock.advance(100 * EPOCH_MS)
        clock.monotonic //= 3


async def test_an_orderly_end_writes_down_how_long_an_epoch_was_watched(tmp_path: Path) -> None:
    clock, found = FakeClock(), list[int]()
    for _ in range(41):
        async with a_gc_service(tmp_path, clock=clock) as registry:
            async with watching_epochs(registry.service.state):
                clock.advance(EPOCH_MS // 20)
            found.append(await count_epoch(registry.service.state))
        clock.advance(EPOCH_MS)

    # Twenty processes for an epoch, each alive for a twentieth of one; the first begins the first.
    assert found == [1] * 20 + [2] * 20 + [3]


async def test_a_disk_that_takes_no_write_does_not_fail_the_end(gc_service: GcService) -> None:
    async with watching_epochs(gc_service.service.state):
        gc_service.service.database.guard.make_read_only("a test")

    assert await gc_service.service.rows("SELECT number FROM epochs") == []


async def test_an_epoch_costs_few_transactions(gc_service: GcService) -> None:
    state, written = gc_service.service.state, 0
    before = None
    for _ in range(1000):
        gc_service.clock.advance(EPOCH_MS // 100)
        await count_epoch(state)
        rows = await gc_service.service.rows("SELECT * FROM epochs ORDER BY number")
        written += rows != before
        before = rows

    assert len(before or ()) == 10
    assert written <= 10 * 8


@pytest.mark.parametrize(("epoch_ms", "seconds"), [(3_600_000, 450), (50, 0.025), (2000, 0.5)])
def test_an_epoch_is_looked_at_several_times(epoch_ms: int, seconds: float) -> None:
    assert interval_seconds(epoch_ms) == seconds


# A step of one server.  Most are passes, and short waits: an epoch is as long as a few of them.
STEPS = st.one_of(
    st.tuples(st.just("wait"), st.sampled_from([1, EPOCH_MS // 4, EPOCH_MS // 2, EPOCH_MS])),
    st.tuples(st.just("pass"), st.just(0)),
    st.tuples(st.just("pass, its commit not yet learnt of"), st.just(0)),
    st.tuples(st.just("pass, rolled back"), st.just(0)),
    st.tuples(st.just("learn"), st.just(0)),
    st.tuples(st.just("set the wall clock"), st.sampled_from([10 * YEAR_MS, -10 * YEAR_MS])),
    st.tuples(st.just("restart"), st.integers(0, 10**9)),
)


@dataclass
class AServer:
    """One process: a clock of its own, what it watched, and a commit not yet learnt of."""

    clock: FakeClock
    watch: EpochWatch = field(default_factory=EpochWatch)
    committed: Newest | None = None

    def run(self, connection: Connection, *, fails: bool) -> int | None:
        """A pass of the job, up to its commit; the number, unless it is rolled back."""
        found, now = epochs.NEWEST.first(connection), self.clock.monotonic_ms()
        if is_worth_a_write(found, self.watch, now, EPOCH_MS, 1 / 8):
            with connection.begin_nested() as savepoint:
                found = epochs.advance(connection, self.watch, self.clock, EPOCH_MS)
                if fails:
                    savepoint.rollback()
                    return None
        self.committed = found
        return None if found is None else found.number

    def learn(self) -> None:
        if self.committed is not None:
            self.watch.see(self.committed, self.clock.monotonic_ms())
        self.committed = None


@contextmanager
def epochs_of_servers(count: int) -> Iterator[tuple[Connection, list[AServer]]]:
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        tables.epochs.create(connection)
        yield connection, [AServer(FakeClock(monotonic=10_000_000 * n)) for n in range(count)]
    engine.dispose()


@settings(max_examples=100, deadline=None)
@given(
    st.integers(1, 3).flatmap(
        lambda count: st.tuples(
            st.just(count),
            st.lists(st.tuples(st.integers(0, count - 1), STEPS), min_size=20, max_size=120),
        )
    )
)
def test_gc_10_no_two_epochs_begin_closer_than_their_length(
    case: tuple[int, list[tuple[int, tuple[str, int]]]],
) -> None:
    count, steps = case
    now, begun = 0, dict[int, int]()
    with epochs_of_servers(count) as (connection, servers):
        for number, (step, value) in steps:
            server = servers[number]
            if step == "wait":
                now += value
                for each in servers:
                    each.clock.advance(value)
            elif step == "set the wall clock":
                server.clock.set_by(value)
            elif step == "restart":
                servers[number] = AServer(FakeClock(monotonic=value))
            elif step == "learn":
                server.learn()
            else:
                newest = server.run(connection, fails=step == "pass, rolled back")
                if newest is not None:
                    begun.setdefault(newest, now)
                if step == "pass":
                    server.learn()

    times = [begun[number] for number in sorted(begun)]
    assert all(later - time >= EPOCH_MS for time, later in itertools.pairwise(times))


@pytest.mark.parametrize("count", [1, 3])
def test_restarts_do_not_stop_the_epochs(count: int) -> None:
    """Killed, not closed: what was watched since the last pass is lost, and no more."""
    numbers = []
    with epochs_of_servers(count) as (connection, servers):
        for turn in range(160):
            server = servers[turn % count] = AServer(FakeClock(monotonic=turn))
            for _ in range(2):
                numbers.append(server.run(connection, fails=False))
                server.learn()
                server.clock.advance(EPOCH_MS // 8)

    assert numbers[-1] == 1 + 160 // 8
