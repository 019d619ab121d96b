"""Numeric fields of headers: octal as archivers pad it, and base-256."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.storage.tar.errors import InvalidArchive
from runner.storage.tar.numbers import parse_number, parse_signed


@pytest.mark.parametrize(
    ("field", "number"),
    [
        (b"0000644\0", 420),
        (b"   644 \0", 420),
        (b"644\0\0\0\0\0", 420),
        (b"00000644", 420),
        (b"\0\0\0\0\0\0\0\0", 0),
        (b"        ", 0),
        (b"644\0junk", 420),
    ],
)
def test_octal_is_read_with_any_padding(field: bytes, number: int) -> None:
    assert parse_number(field, "mode") == number


@given(st.integers(-(2**94), 2**94 - 1))
def test_base_256_is_twos_complement(number: int) -> None:
    value = number.to_bytes(12, "big", signed=True)
    field = bytes([value[0] | 0x80, *value[1:]])

    assert parse_signed(field, "size") == number


@pytest.mark.parametrize("field", [b"0000648\0", b"-000644\0", b"0x1\0\0\0\0\0", b"6 44\0\0\0\0"])
def test_other_text_is_refused(field: bytes) -> None:
    with pytest.raises(InvalidArchive, match=r"invalid mode .*, expected an octal number"):
        parse_signed(field, "mode")


def test_a_negative_number_is_refused_where_none_may_be() -> None:
    with pytest.raises(InvalidArchive, match="invalid size -1"):
        parse_number(b"\xff" * 12, "size")
