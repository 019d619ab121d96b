"""Epochs: the newest one's row, the lower bound of its age, and expiry by both clocks."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, literal, select

from registry.storage.metadata import epochs, tables
from registry.storage.metadata.epochs import EpochWatch, Newest
from registry.storage.retention import Cutoff
from tests.support.registry.clocks import FakeClock
from tests.support.registry.rows import a_connection

EPOCH_MS = 1000


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    with a_connection(tmp_path / "db") as opened:
        yield opened


def rows(connection: Connection) -> list[tuple[int, int]]:
    row = tables.epochs.c
    query = select(row.number, row.watched_ms).order_by(row.number)
    return [(found.number, found.watched_ms) for found in connection.execute(query)]


def advance(connection: Connection, watch: EpochWatch, clock: FakeClock) -> Newest:
    """A whole pass: the unit, and what its commit teaches."""
    newest = epochs.advance(connection, watch, clock, EPOCH_MS)
    watch.see(newest, clock.monotonic_ms())
    return newest


def test_there_is_no_epoch_at_first_and_the_first_begins_at_once(connection: Connection) -> None:
    watch = EpochWatch()
    assert epochs.current(connection) == 0
    assert epochs.NEWEST.first(connection) is None

    assert advance(connection, watch, FakeClock()) == Newest(1, 0)

    assert epochs.current(connection) == 1


def test_the_age_is_written_down_until_the_next_begins(connection: Connection) -> None:
    watch, clock = EpochWatch(), FakeClock()
    advance(connection, watch, clock)

    clock.advance(EPOCH_MS - 1)
    assert advance(connection, watch, clock) == Newest(1, EPOCH_MS - 1)
    clock.advance(1)
    assert advance(connection, watch, clock) == Newest(2, 0)

    assert rows(connection) == [(1, EPOCH_MS - 1), (2, 0)]


def test_two_that_watch_at_once_count_the_time_once(connection: Connection) -> None:
    one, other, clock = EpochWatch(), EpochWatch(), FakeClock()
    advance(connection, one, clock)
    advance(connection, other, clock)

    for _ in range(3):
        clock.advance(300)
        advance(connection, one, clock)
        advance(connection, other, clock)

    assert rows(connection) == [(1, 900)]


def test_a_lower_bound_that_is_higher_already_stays(connection: Connection) -> None:
    watch, clock = EpochWatch(), FakeClock()
    connection.execute(insert(tables.epochs).values(number=4, watched_ms=700, begun_at=1))
    watch.see(Newest(4, 100), clock.monotonic_ms())
    clock.advance(200)

    assert advance(connection, watch, clock) == Newest(4, 700)

    assert rows(connection) == [(4, 700)]


def test_only_rows_that_no_setting_needs_are_deleted(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(epochs, "MAX_ROWS", 3)
    watch, clock = EpochWatch(), FakeClock()

    for _ in range(5):
        advance(connection, watch, clock)
        clock.advance(EPOCH_MS)

    assert [number for number, _ in rows(connection)] == [3, 4, 5]


@pytest.mark.parametrize(
    ("at", "epoch", "is_over"),
    [
        (50, 5, True),
        (51, 5, False),
        (50, 6, False),
        (1000, 5, False),
        # Written by a clock that was ahead: only epochs count.
        (1001, 5, True),
        (1001, 6, False),
    ],
)
def test_a_time_is_over_by_both_clocks(
    connection: Connection, at: int, epoch: int, is_over: bool
) -> None:
    cutoff = Cutoff(at=50, epoch=5, beyond=1000)

    found = connection.scalar(select(epochs.is_expired(cutoff, literal(at), literal(epoch))))

    assert bool(found) is is_over
