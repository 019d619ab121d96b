"""Container logs: read whole, from the end, and followed."""

import asyncio
import tempfile
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.runtime import log_files
from runner.runtime.contract import StdStream
from runner.runtime.log_files import LogFiles, rotated
from runner.runtime.logs import Entry, entries, parse_entry

OUT, ERR = StdStream.STDOUT, StdStream.STDERR


def line(second: int, text: str, stream: str = "stdout", tag: str = "F") -> bytes:
    return f"2026-11-21T09:00:{second:02}.123456789Z {stream} {tag} {text}\n".encode()


async def contents(log: Path, **options: object) -> list[bytes]:
    return [entry.content async for entry in entries(log, **options)]  # type: ignore[arg-type]  # options of every kind


def rotate(log: Path, content: bytes) -> None:
    log.rename(log.with_suffix(".1"))
    log.write_bytes(content)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    file = tmp_path / "log"
    file.write_bytes(
        line(1, "one") + line(2, "two", "stderr") + line(3, "a piece, ", tag="P")
        + line(3, "and its end") + line(4, "")
    )  # fmt: skip
    return file


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"2026-11-21T09:00:00Z stdout F a b", (OUT, b"a b\n")),
        (b"2026-11-21T09:00:00.5+01:00 stderr P \xff", (ERR, b"\xff")),
        (b"2026-11-21T09:00:00Z stdout F ", (OUT, b"\n")),
        (b"2026-11-21T09:00:00Z stdout F", (OUT, b"\n")),
        (b"2026-11-21T09:00:00Z stdin F x", None),
        (b"2026-11-21T09:00:00Z stdout X x", None),
        (b"", None),
    ],
)
def test_a_line_is_an_entry_or_nothing(text: bytes, expected: tuple[StdStream, bytes]) -> None:
    entry = parse_entry(text)

    assert (entry and (entry.stream, entry.content)) == expected


ZONES = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
STAMPS = st.datetimes(timezones=ZONES).map(datetime.isoformat)
LINES = st.builds(
    "{} {} {} {}".format,
    STAMPS | st.text(alphabet="0123456789-:.TZ+", max_size=30),
    st.sampled_from(["stdout", "stderr", "stdin"]),
    st.sampled_from(["F", "P", "X", ""]),
    st.text(max_size=20),
).map(str.encode)


@given(st.binary(max_size=60) | LINES)
def test_any_line_is_an_entry_with_a_time_or_nothing(text: bytes) -> None:
    entry = parse_entry(text)
    if entry is None:
        return

    assert entry.stream in (OUT, ERR)
    assert text.endswith(entry.content.removesuffix(b"\n"))
    assert abs(entry.nanoseconds) < 10_000 * 366 * 86_400 * 10**9


@given(st.integers(0, 250_000_000_000), st.integers(0, 10**9 - 1))
def test_the_time_of_an_entry_has_nanoseconds(second: int, fraction: int) -> None:
    moment = datetime.fromtimestamp(second, UTC)
    entry = parse_entry(f"{moment:%Y-%m-%dT%H:%M:%S}.{fraction:09}Z stdout F text".encode())

    assert entry is not None
    assert entry.nanoseconds == second * 10**9 + fraction


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"])
def test_an_entry_whose_time_utc_does_not_have_has_none(time: str) -> None:
    assert Entry(time, OUT, b"").nanoseconds == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1970-01-01T00:00:01Z", 10**9), ("1970-01-01T01:00:00.000000007+01:00", 7),
     ("1970-01-01T00:00:00.5Z", 5 * 10**8), ("yesterday", 0), ("2026-13-01T00:00:00Z", 0)],
)  # fmt: skip
def test_times_have_nanoseconds(text: str, expected: int) -> None:
    assert Entry(text, OUT, b"").nanoseconds == expected


async def test_everything_is_read_in_order(log: Path) -> None:
    found = [entry async for entry in entries(log)]

    assert [entry.content for entry in found] == [
        b"one\n", b"two\n", b"a piece, ", b"and its end\n", b"\n",
    ]  # fmt: skip
    assert [entry.stream for entry in found] == [OUT, ERR, OUT, OUT, OUT]


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        (0, []),
        (1, [b"\n"]),
        (2, [b"a piece, ", b"and its end\n", b"\n"]),
        (3, [b"two\n", b"a piece, ", b"and its end\n", b"\n"]),
        (99, [b"one\n", b"two\n", b"a piece, ", b"and its end\n", b"\n"]),
    ],
)
async def test_a_tail_counts_lines_and_not_pieces(
    log: Path, tail: int, expected: list[bytes]
) -> None:
    assert await contents(log, tail=tail) == expected


@given(
    st.lists(st.tuples(st.sampled_from("FP"), st.integers(0, 40)), max_size=30),
    st.integers(0, 35),
    st.integers(1, 64),
    st.lists(st.integers(0, 30), max_size=3),
)
def test_any_tail_is_the_end_of_the_whole_however_it_was_rotated(
    pieces: list[tuple[str, int]], tail: int, chunk: int, cuts: list[int]
) -> None:
    content = [line(n, "x" * size, tag=tag) for n, (tag, size) in enumerate(pieces)]
    groups: list[bytes] = []
    ended = True
    for (tag, _), text in zip(pieces, content, strict=True):
        groups = [*groups, text] if ended else [*groups[:-1], groups[-1] + text]
        ended = tag == "F"
    borders = sorted({0, len(content), *(min(cut, len(content)) for cut in cuts)})
    files = [b"".join(content[start:stop]) for start, stop in pairwise(borders)]
    with tempfile.TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_files, "_CHUNK_BYTES", chunk)
        log = Path(directory) / "log"
        for age, text in enumerate(reversed(files)):
            (rotated(log, age) if age else log).write_bytes(text)
        reader = LogFiles(log)
        reader.seek_tail(tail)

        found = b"".join(one + b"\n" for one in reader.lines())

        reader.close()
        assert found == b"".join(groups[len(groups) - min(tail, len(groups)) :])


async def test_since_and_until_bound_the_time(log: Path) -> None:
    since = datetime(2026, 11, 21, 9, 0, 2, tzinfo=UTC)
    until = datetime(2026, 11, 21, 9, 0, 4, tzinfo=UTC)

    assert await contents(log, since=since, until=until) == [
        b"two\n", b"a piece, ", b"and its end\n",
    ]  # fmt: skip


async def test_a_log_that_does_not_exist_is_empty(tmp_path: Path) -> None:
    assert await contents(tmp_path / "none") == []
    assert await contents(tmp_path / "none", tail=3) == []


async def test_following_sees_what_comes_until_the_end(log: Path) -> None:
    end = asyncio.Event()
    found = entries(log, tail=1, ended=end.wait)
    assert (await anext(found)).content == b"\n"

    with log.open("ab") as file:
        file.write(line(5, "late")[:10])
        file.flush()
        await asyncio.sleep(0.05)
        file.write(line(5, "late")[10:])
    late = await asyncio.wait_for(anext(found), 60)
    with log.open("ab") as file:
        file.write(line(6, "last words"))
    end.set()
    rest = [entry.content async for entry in found]

    assert late.content == b"late\n"
    assert rest == [b"last words\n"]


async def test_following_goes_on_in_the_file_that_takes_the_name(log: Path) -> None:
    end = asyncio.Event()
    found = entries(log, tail=0, ended=end.wait)
    first = asyncio.ensure_future(anext(found))
    await asyncio.sleep(0.05)

    rotate(log, line(7, "begun anew"))

    assert (await asyncio.wait_for(first, 60)).content == b"begun anew\n"
    end.set()
    assert [entry.content async for entry in found] == []


async def test_following_loses_no_line_that_was_written_just_before_the_file_was_replaced(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = LogFiles.was_rotated

    def was_rotated(reader: LogFiles) -> bool:
        # Between our last read and our look at the name.
        monkeypatch.setattr(LogFiles, "was_rotated", asked)
        with log.open("ab") as file:
            file.write(line(5, "last of the old"))
        rotate(log, line(6, "first of the new"))
        return asked(reader)

    monkeypatch.setattr(LogFiles, "was_rotated", was_rotated)
    end = asyncio.Event()
    end.set()

    found = [entry.content async for entry in entries(log, tail=0, ended=end.wait)]

    assert found == [b"last of the old\n", b"first of the new\n"]


async def test_following_waits_for_a_log_that_is_yet_to_come(tmp_path: Path) -> None:
    end = asyncio.Event()
    found = entries(tmp_path / "log", ended=end.wait)
    first = asyncio.ensure_future(anext(found))
    await asyncio.sleep(0.05)

    (tmp_path / "log").write_bytes(line(1, "here"))

    assert (await asyncio.wait_for(first, 60)).content == b"here\n"
    await found.aclose()  # type: ignore[attr-defined]  # it is a generator
