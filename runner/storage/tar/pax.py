"""PAX extended headers: ``length key=value`` records.

https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html#tag_20_92_13_03
"""

import re
from typing import Final

from runner.storage.tar.errors import InvalidArchive

XATTR_PREFIX: Final = "SCHILY.xattr."

_LENGTH: Final = re.compile(rb"([0-9]{1,7}) ", re.ASCII)
_TIME: Final = re.compile(rb"(-?)([0-9]{1,18})(?:\.([0-9]*))?", re.ASCII)
_NUMBER: Final = re.compile(rb"[0-9]{1,19}", re.ASCII)
# Values that become C strings; in others, such as xattrs, NUL is an ordinary byte.
_TEXT_KEYS: Final = {"path", "linkpath", "uname", "gname", "GNU.sparse.name"}
_SPARSE_OFFSETS: Final = ("GNU.sparse.offset", "GNU.sparse.numbytes")


def parse_records(content: bytes) -> dict[str, bytes]:
    """The records of one extended header; an empty value cancels an earlier one.

    The repeated keys of GNU's sparse format 0.0 are joined into the list of format 0.1.
    """
    records: dict[str, bytes] = {}
    fragments: list[bytes] = []
    at = 0
    while at < len(content):
        found = _LENGTH.match(content, at)
        stop = at + int(found[1]) if found else 0
        if not found or not found.end() < stop <= len(content) or content[stop - 1] != 0x0A:
            raise InvalidArchive(f"invalid PAX record at byte {at}: {content[at : at + 40]!r}")
        key, equals, value = content[found.end() : stop - 1].partition(b"=")
        name = key.decode("utf-8", "surrogateescape")
        if not equals or not key or b"\0" in key or (name in _TEXT_KEYS and b"\0" in value):
            raise InvalidArchive(f"invalid PAX record at byte {at}: {content[at : at + 40]!r}")
        if name in _SPARSE_OFFSETS:
            if name != _SPARSE_OFFSETS[len(fragments) % 2]:
                raise InvalidArchive("invalid PAX record: sparse offsets and lengths do not pair")
            fragments.append(value)
        records[name] = value
        at = stop
    if fragments:
        records["GNU.sparse.map"] = b",".join(fragments)
    return records


def parse_decimal(value: bytes, what: str) -> int:
    """A number that is not negative, or InvalidArchive."""
    if not _NUMBER.fullmatch(value):
        raise InvalidArchive(f"invalid PAX {what} {value[:40]!r}, expected a decimal number")
    return int(value)


def parse_owner(value: bytes, what: str) -> int:
    """A decimal number, or -1, which archivers write for an unknown owner."""
    return -1 if value == b"-1" else parse_decimal(value, what)


def parse_time_ns(value: bytes) -> int:
    """Seconds since the epoch with any number of decimals, in nanoseconds.

    >>> parse_time_ns(b"-1.5")
    -1500000000
    """
    found = _TIME.fullmatch(value)
    if not found:
        raise InvalidArchive(f"invalid PAX mtime {value[:40]!r}, expected decimal seconds")
    sign, seconds, fraction = found.groups()
    nanoseconds = int(seconds) * 10**9 + int((fraction or b"")[:9].ljust(9, b"0"))
    return -nanoseconds if sign else nanoseconds
