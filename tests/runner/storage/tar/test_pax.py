"""PAX records: lengths that count themselves, keys, values, and times."""

import contextlib
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.storage.tar.errors import InvalidArchive
from runner.storage.tar.pax import parse_decimal, parse_owner, parse_records, parse_time_ns

KEYS = st.text(st.characters(exclude_characters="=\0", codec="utf-8"), min_size=1, max_size=40)


def record(key: str, value: bytes) -> bytes:
    rest = b" " + key.encode() + b"=" + value + b"\n"
    length = next(n for n in range(len(rest), len(rest) + 8) if n == len(rest) + len(str(n)))
    return str(length).encode() + rest


@given(st.dictionaries(KEYS.filter(lambda key: "GNU" not in key and "path" not in key),
                       st.binary(max_size=200), max_size=5))  # fmt: skip
def test_any_records_are_read_as_they_were_written(records: dict[str, bytes]) -> None:
    texts = {"uname", "gname"}
    written = {key: value for key, value in records.items() if key not in texts}

    assert parse_records(b"".join(record(*item) for item in written.items())) == written


@given(st.binary(max_size=100))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    with contextlib.suppress(InvalidArchive):
        assert isinstance(parse_records(content), dict)


@pytest.mark.parametrize(
    "content",
    [
        b"5 a=",  # no end of line
        b"9 a=1\n",  # longer than the header
        b"5 a=1\n",  # shorter than the record
        b"4 =1\n",
        b"4 a1\n",
        b"x a=1\n",
        b"-6 a=1\n",
        b"00000000006 a=1\n",
        record("a\0b", b"1"),
        record("path", b"a\0b"),
        b"\0",
    ],
)
def test_a_malformed_record_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidArchive, match="invalid PAX record at byte 0"):
        parse_records(content)


def test_the_last_of_a_repeated_key_counts() -> None:
    assert parse_records(record("a", b"1") + record("a", b"")) == {"a": b""}


def test_sparse_pairs_are_joined_in_their_order() -> None:
    pairs = [("offset", b"0"), ("numbytes", b"5"), ("offset", b"9"), ("numbytes", b"1")]

    found = parse_records(b"".join(record(f"GNU.sparse.{key}", each) for key, each in pairs))

    assert found["GNU.sparse.map"] == b"0,5,9,1"


def test_a_sparse_length_without_an_offset_is_refused() -> None:
    with pytest.raises(InvalidArchive, match="do not pair"):
        parse_records(record("GNU.sparse.numbytes", b"5"))


@pytest.mark.parametrize(
    ("value", "nanoseconds"),
    [
        (b"0", 0),
        (b"1.5", 1_500_000_000),
        (b"-1.5", -1_500_000_000),
        (b"1.1234567899", 1_123_456_789),
        (b"1.", 1_000_000_000),
    ],
)
def test_a_time_has_nanoseconds(value: bytes, nanoseconds: int) -> None:
    assert parse_time_ns(value) == nanoseconds


@pytest.mark.parametrize("value", [b"", b"1e9", b".5", b"+1", b"1 ", b"\xd9\xa1", b"9" * 19])
def test_a_time_of_another_form_is_refused(value: bytes) -> None:
    with pytest.raises(InvalidArchive, match="expected decimal seconds"):
        parse_time_ns(value)


def test_only_an_owner_may_be_minus_one() -> None:
    assert (parse_owner(b"-1", "uid"), parse_owner(b"0017", "uid")) == (-1, 17)
    for value in (b"-1", b"-2", b"", b"1" * 20, b"0x1"):
        with pytest.raises(InvalidArchive, match="invalid PAX size"):
            parse_decimal(value, "size")


TEXTS = st.text(alphabet="0123456789.-", max_size=12) | st.integers(10**18, 10**20).map(str)
VALUES = st.binary(max_size=30) | TEXTS.map(str.encode)


@given(VALUES)
def test_any_number_is_read_or_refused(value: bytes) -> None:
    try:
        number = parse_decimal(value, "size")
    except InvalidArchive as refusal:
        assert str(refusal) == f"invalid PAX size {value[:40]!r}, expected a decimal number"
        assert not value.isdigit() or len(value) > 19
        return

    assert 0 <= number < 10**19
    assert parse_decimal(b"%d" % number, "size") == number


@given(VALUES)
def test_any_time_is_read_or_refused(value: bytes) -> None:
    try:
        nanoseconds = parse_time_ns(value)
    except InvalidArchive as refusal:
        assert str(refusal) == f"invalid PAX mtime {value[:40]!r}, expected decimal seconds"
        return

    assert abs(nanoseconds) < 10**27
    assert abs(nanoseconds - Decimal(value.decode()) * 10**9) < 1


@given(st.integers(-(10**27) + 1, 10**27 - 1))
def test_a_time_is_read_as_it_was_written(nanoseconds: int) -> None:
    seconds, fraction = divmod(abs(nanoseconds), 10**9)
    sign = b"-" if nanoseconds < 0 else b""

    assert parse_time_ns(b"%s%d.%09d" % (sign, seconds, fraction)) == nanoseconds
