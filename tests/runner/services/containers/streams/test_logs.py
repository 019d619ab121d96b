from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from runner.runtime.contract import Frame, StdStream
from runner.runtime.logs import Entry
from runner.services.containers.streams.logs import Selection, frames, utc

OUT, ERR = StdStream.STDOUT, StdStream.STDERR
TIME = "2026-11-21T09:00:00.000000001+00:00"


async def some(entries: Sequence[Entry]) -> AsyncIterator[Entry]:
    for entry in entries:
        yield entry


async def chosen(entries: Sequence[Entry], **selection: Any) -> list[Frame]:
    return [frame async for frame in frames(some(entries), Selection(**selection))]


async def test_only_the_wanted_streams_are_told() -> None:
    entries = [Entry(TIME, OUT, b"a\n"), Entry(TIME, ERR, b"b\n")]

    assert await chosen(entries, streams=(ERR,)) == [Frame(ERR, b"b\n")]
    assert await chosen(entries) == [Frame(OUT, b"a\n"), Frame(ERR, b"b\n")]


async def test_a_time_stands_at_the_beginning_of_each_line_only() -> None:
    entries = [
        Entry(TIME, OUT, b"a long "),
        Entry(TIME, ERR, b"between\n"),
        Entry(TIME, OUT, b"line\n"),
        Entry(TIME, OUT, b"next\n"),
    ]

    told = await chosen(entries, timestamps=True)

    stamp = b"2026-11-21T09:00:00.000000001Z "
    assert [frame.content for frame in told] == [
        stamp + b"a long ",
        stamp + b"between\n",
        b"line\n",
        stamp + b"next\n",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-21T09:00:00.123456789+00:00", "2026-11-21T09:00:00.123456789Z"),
        ("2026-11-21T09:00:00.5-02:00", "2026-11-21T11:00:00.500000000Z"),
        ("2026-11-21T09:00:00Z", "2026-11-21T09:00:00.000000000Z"),
        ("not a time", "not a time"),
    ],
)
def test_times_are_written_in_utc_with_nine_digits(text: str, expected: str) -> None:
    assert utc(text) == expected


def test_a_time_that_utc_does_not_have_is_shown_as_it_is() -> None:
    assert utc("0001-01-01T00:00:00+01:00") == "0001-01-01T00:00:00+01:00"
