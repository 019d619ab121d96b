"""Sparse maps: four formats, and maps that lie."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.storage.tar.errors import InvalidArchive, Truncated
from runner.storage.tar.sparse import MAX_FRAGMENTS, SparseMap


def taking(content: bytes) -> Callable[[int], bytes]:
    """Reads from this content, as from an archive."""
    at = 0

    def take(count: int) -> bytes:
        nonlocal at
        at += count
        return content[at - count : at]

    return take


def entry(offset: int, length: int) -> bytes:
    return b"%011o\0%011o\0" % (offset, length)


def old_header(*fragments: tuple[int, int], size: int, more: bool = False) -> bytes:
    block = bytearray(512)
    for number, fragment in enumerate(fragments):
        block[386 + 24 * number : 410 + 24 * number] = entry(*fragment)
    block[482] = more
    block[483:495] = b"%011o\0" % size
    return bytes(block)


def test_an_old_header_has_four_fragments_and_more_in_the_next_blocks() -> None:
    first = [(0, 1), (10, 1), (20, 1), (30, 1)]
    following = entry(40, 2).ljust(512, b"\0")

    found = SparseMap.from_header(old_header(*first, size=100, more=True), taking(following))

    assert found == SparseMap(100, (*first, (40, 2)))
    found.check(6)


def test_a_missing_block_of_an_old_map_is_told() -> None:
    with pytest.raises(
        Truncated, match="cut short: a sparse map's block has 5 bytes, expected 512"
    ):
        SparseMap.from_header(old_header((0, 1), size=9, more=True), taking(b"short"))


def test_a_list_in_a_record_is_format_0_1() -> None:
    records = {"GNU.sparse.size": b"100", "GNU.sparse.map": b"0,5,90,10"}

    assert SparseMap.from_pax(records, taking(b"")) == (SparseMap(100, ((0, 5), (90, 10))), 0)


def test_a_map_before_the_content_is_format_1_0() -> None:
    records = {"GNU.sparse.major": b"1", "GNU.sparse.realsize": b"100"}
    pairs = b"".join(b"%d\n%d\n" % (number * 10, 1) for number in range(200))
    content = (b"200\n" + pairs).ljust(2048, b"\0")

    found, read = SparseMap.from_pax(records, taking(content))

    assert found.size == 100
    assert (found.fragments[0], found.fragments[-1]) == ((0, 1), (1990, 1))
    assert len(found.fragments) == 200
    assert read == -(-len(b"200\n" + pairs) // 512) * 512


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"1" * 512, "its numbers have no end"),
        (b"2\n0\n".ljust(512, b"0") + b"0" * 512, "its numbers have no end"),
        (b"%d\n" % (MAX_FRAGMENTS + 1) + bytes(512), "at most 65536 are read"),
        (b"x\n".ljust(512, b"\0"), "expected a decimal number"),
    ],
)
def test_a_map_that_does_not_end_is_refused(content: bytes, message: str) -> None:
    records = {"GNU.sparse.major": b"1", "GNU.sparse.realsize": b"1"}

    with pytest.raises(InvalidArchive, match=message):
        SparseMap.from_pax(records, taking(content))


def test_an_offset_without_a_length_is_refused() -> None:
    with pytest.raises(InvalidArchive, match="an offset has no length"):
        SparseMap.from_pax({"GNU.sparse.size": b"9", "GNU.sparse.map": b"0,5,9"}, taking(b""))


@pytest.mark.parametrize(
    ("fragments", "stored", "message"),
    [
        (((0, 5), (4, 5)), 10, "5 bytes at 4 of a file of 100"),
        (((90, 11),), 11, "11 bytes at 90 of a file of 100"),
        (((0, 5), (10, 5)), 9, "it has 10 bytes, 9 are stored"),
    ],
)
def test_a_map_that_lies_is_refused(
    fragments: tuple[tuple[int, int], ...], stored: int, message: str
) -> None:
    with pytest.raises(InvalidArchive, match=message):
        SparseMap(100, fragments).check(stored)


NUMBERS = st.integers(0, 10**19 - 1)
PAIRS = st.lists(st.tuples(NUMBERS, NUMBERS), max_size=60)
LISTS = st.text(alphabet="0123456789,-", max_size=40).map(str.encode)
LINES = st.text(alphabet="0123456789\n", max_size=40).map(str.encode)


@given(NUMBERS, PAIRS)
def test_a_map_is_read_as_it_was_written_in_both_formats(
    size: int, pairs: list[tuple[int, int]]
) -> None:
    numbers = [b"%d" % number for pair in pairs for number in pair]
    lines = b"".join(b"%s\n" % number for number in (b"%d" % len(pairs), *numbers))
    stored = lines + bytes(-len(lines) % 512)

    listed = {"GNU.sparse.size": b"%d" % size, "GNU.sparse.map": b",".join(numbers)}
    leading = {"GNU.sparse.realsize": b"%d" % size, "GNU.sparse.major": b"1"}

    assert SparseMap.from_pax(listed, taking(b"")) == (SparseMap(size, tuple(pairs)), 0)
    assert SparseMap.from_pax(leading, taking(stored + b"content")) == (
        SparseMap(size, tuple(pairs)),
        len(stored),
    )


@given(st.binary(max_size=8) | st.just(b"9"), st.binary(max_size=40) | LISTS,
       st.sampled_from([b"", b"0", b"1"]), st.binary(max_size=1200) | LINES)  # fmt: skip
def test_any_records_and_content_are_a_map_or_refused(
    size: bytes, listed: bytes, major: bytes, content: bytes
) -> None:
    records = {"GNU.sparse.size": size, "GNU.sparse.map": listed, "GNU.sparse.major": major}
    try:
        found, read = SparseMap.from_pax(records, taking(content + bytes(512)))
    except InvalidArchive as refusal:
        assert str(refusal)
        return

    assert found.size == int(size)
    assert len(found.fragments) <= MAX_FRAGMENTS
    assert (read > 0) == (major == b"1")


@given(PAIRS, st.integers(0, 1000))
def test_a_checked_map_is_in_order_and_inside_its_file(
    pairs: list[tuple[int, int]], slack: int
) -> None:
    fragments, at = [], 0
    for gap, length in pairs:
        fragments.append((at + gap, length))
        at += gap + length
    total = sum(length for _, length in pairs)

    SparseMap(at + slack, tuple(fragments)).check(total)
    with pytest.raises(InvalidArchive, match=f"it has {total} bytes, {total + 1} are stored"):
        SparseMap(at + slack, tuple(fragments)).check(total + 1)
    if at:
        with pytest.raises(InvalidArchive, match="bytes at"):
            SparseMap(at - 1, tuple(fragments)).check(total)
