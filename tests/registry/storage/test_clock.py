"""The Clock contract, on the machine's clock and on the one that tests move."""

import time

import pytest

from registry.storage.clock import Clock
from registry.storage.system_clock import SystemClock
from tests.support.registry.clocks import FakeClock


@pytest.fixture(params=[SystemClock, FakeClock])
def clock(request: pytest.FixtureRequest) -> Clock:
    made: Clock = request.param()
    return made


def test_times_are_whole_milliseconds_that_never_go_back(clock: Clock) -> None:
    wall, first, second = clock.wall_ms(), clock.monotonic_ms(), clock.monotonic_ms()

    assert all(isinstance(each, int) for each in (wall, first, second))
    assert first <= second
    # Since 1970, and in milliseconds: the year 2001 is over, the year 5138 has not begun.
    assert 10**12 < wall < 10**14


def test_the_machines_clock_tells_the_machines_time() -> None:
    before = time.time() * 1000

    wall = SystemClock().wall_ms()

    assert int(before) <= wall <= time.time() * 1000
