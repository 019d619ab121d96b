"""Numeric fields of tar headers: octal text, or GNU's base-256.

https://www.gnu.org/software/tar/manual/html_node/Extensions.html
"""

import re
from functools import lru_cache
from typing import Final

from runner.storage.tar.errors import InvalidArchive

_OCTAL: Final = re.compile(rb"[ \0]*([0-7]*)[ \0]*", re.ASCII)


@lru_cache(maxsize=8192)
def parse_signed(field: bytes, what: str) -> int:
    """Parse a numeric field, or InvalidArchive; cached, because owners and modes repeat.

    >>> parse_signed(b"0000644" + bytes(1), "mode")
    420
    """
    if field[0] & 0x80:
        # Base-256, big-endian; the sign is the second bit, two's complement.
        number = int.from_bytes(field, "big") & ~(0x80 << 8 * (len(field) - 1))
        return number - (1 << 8 * len(field) - 1) if field[0] & 0x40 else number
    found = _OCTAL.fullmatch(field)
    if not found:
        # Like Go, ignore text after the first NUL.
        found = _OCTAL.fullmatch(field.lstrip(b" \0").partition(b"\0")[0])
    if not found:
        raise InvalidArchive(f"invalid {what} {field!r}, expected an octal number")
    return int(found[1] or b"0", 8)


@lru_cache(maxsize=8192)
def parse_number(field: bytes, what: str) -> int:
    """Parse a numeric field that must not be negative."""
    number = parse_signed(field, what)
    if number < 0:
        raise InvalidArchive(f"invalid {what} {number}, expected a number that is not negative")
    return number
