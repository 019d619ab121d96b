import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci.ranges import (
    ByteRange,
    InvalidContentRange,
    RangeNotSatisfiable,
    format_upload_range,
    parse_content_range,
    parse_range,
)
from tests.support.calls import count_calls


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-9", [(0, 10)]),
        ("bytes=500-", [(500, 1000)]),
        ("bytes=-500", [(500, 1000)]),
        ("bytes=-5000", [(0, 1000)]),
        ("bytes=990-5000", [(990, 1000)]),
        ("Bytes=0-0, 5-9", [(0, 1), (5, 10)]),
        ("bytes=5-9,0-0", [(5, 10), (0, 1)]),
        ("bytes=0-9,10-19", [(0, 10), (10, 20)]),
        ("bytes=0-9,5-19", [(0, 20)]),
        ("bytes=0-9,2000-", [(0, 10)]),
    ],
)
def test_a_range_is_cut_to_the_content(header: str, expected: list[tuple[int, int]]) -> None:
    assert parse_range(header, 1000) == tuple(ByteRange(*pair) for pair in expected)


@pytest.mark.parametrize(
    "header",
    [
        *("", "bytes", "items=0-9", "bytes=", "bytes=a-b", "bytes=-", "bytes=0-9,", "bytes=+0-9"),
        *("bytes=0-9;", "bytes=\N{ARABIC-INDIC DIGIT ONE}-9", "bytes=1_0-20", "bytes=0--9"),
    ],
)
def test_what_is_not_the_grammar_is_ignored(header: str) -> None:
    assert parse_range(header, 1000) is None


@pytest.mark.parametrize("header", ["bytes=1000-", "bytes=500-0", "bytes=-0", "bytes=2000-3000"])
def test_a_range_outside_the_content_is_refused(header: str) -> None:
    with pytest.raises(RangeNotSatisfiable, match="lies outside the content of 1000 bytes") as it:
        parse_range(header, 1000)

    assert it.value.status == 416
    assert it.value.size == 1000


@pytest.mark.parametrize("header", ["bytes=-5", "bytes=0-", "bytes=0-0", "bytes=5-9", "bytes=-0"])
def test_any_range_of_nothing_is_the_whole(header: str) -> None:
    assert parse_range(header, 0) is None


def test_ht_4_ten_thousand_ranges_cost_nothing() -> None:
    header = "bytes=" + ",".join(f"{n}-{n}" for n in range(0, 20_000, 2))

    calls = count_calls(lambda: parse_range(header, 1_000_000))

    assert parse_range(header, 1_000_000) is None
    assert calls < 100


def test_ht_4_sixteen_parts_are_served_and_seventeen_are_not() -> None:
    def header(parts: int) -> str:
        return "bytes=" + ",".join(f"{10 * n}-{10 * n}" for n in range(parts))

    assert len(parse_range(header(16), 1000) or ()) == 16
    assert parse_range(header(17), 1000) is None


@given(
    st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=8),
    st.integers(1, 100),
)
def test_the_parts_cover_exactly_what_was_asked(pairs: list[tuple[int, int]], size: int) -> None:
    pairs = [(min(pair), max(pair)) for pair in pairs]
    wanted = {n for first, last in pairs for n in range(first, last + 1) if n < size}
    header = "bytes=" + ",".join(f"{first}-{last}" for first, last in pairs)

    try:
        ranges = parse_range(header, size) or ()
    except RangeNotSatisfiable:
        ranges = ()

    served = [n for part in ranges for n in range(part.start, part.stop)]
    assert sorted(served) == sorted(wanted)


def test_a_part_says_where_it_is_from() -> None:
    assert ByteRange(0, 10).content_range(100) == "bytes 0-9/100"
    assert ByteRange(5, 10).size == 5


@given(st.integers(0, 2**62), st.integers(0, 2**61))
def test_a_content_range_survives_the_wire(start: int, length: int) -> None:
    assert parse_content_range(f"{start}-{start + length}") == ByteRange(start, start + length + 1)


@pytest.mark.parametrize(
    "text", ["", "0", "-", "0-", "5-4", "bytes=0-4", "0-4/5", " 0-4", "0-4\n", "a-b", "9" * 30]
)
def test_a_content_range_is_two_numbers(text: str) -> None:
    with pytest.raises(InvalidContentRange, match="invalid Content-Range"):
        parse_content_range(text)


def test_an_upload_says_how_much_it_holds() -> None:
    assert format_upload_range(100) == "0-99"
    assert format_upload_range(0) == "0-0"
    assert format_upload_range(0, empty="0--1") == "0--1"
