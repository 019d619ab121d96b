"""GNU's sparse files in tar: the old header, and PAX formats 0.0, 0.1 and 1.0.

https://www.gnu.org/software/tar/manual/html_node/Sparse-Formats.html
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Self

from runner.storage.tar.errors import BLOCK_BYTES, InvalidArchive, Truncated
from runner.storage.tar.numbers import parse_number
from runner.storage.tar.pax import parse_decimal

# Far more than in any real layer; each costs a pair of integers.
MAX_FRAGMENTS: Final = 1 << 16

Fragment = tuple[int, int]
Take = Callable[[int], bytes]

_HEADER_FRAGMENTS_AT: Final = 386
_HEADER_SIZE: Final = slice(483, 495)
_ENTRY_BYTES: Final = 24
# More than the longest number and its newline.
_LINE_BYTES: Final = 24


@dataclass(frozen=True, slots=True)
class SparseMap:
    """The fragments of a sparse file, each an offset and a length, and the file's size."""

    size: int
    fragments: tuple[Fragment, ...]

    @classmethod
    def from_header(cls, header: bytes, take: Take) -> Self:
        """Parse the old GNU format: four fragments in the header, more in the blocks after it."""
        fragments = _entries(header, _HEADER_FRAGMENTS_AT, 4)
        more = header[482]
        while more:
            block = _take_block(take)
            fragments += _entries(block, 0, 21)
            _check_count(len(fragments))
            more = block[504]
        return cls(parse_number(header[_HEADER_SIZE], "real size"), tuple(fragments))

    @classmethod
    def from_pax(cls, records: Mapping[str, bytes], take: Take) -> tuple[Self, int]:
        """The PAX formats, and how many bytes of content their map has used up."""
        size_key = "GNU.sparse.realsize" if "GNU.sparse.realsize" in records else "GNU.sparse.size"
        size = parse_decimal(records.get(size_key, b""), "sparse size")
        if records.get("GNU.sparse.major") == b"1":
            numbers, read = _leading_numbers(take)
        else:
            numbers, read = _listed_numbers(records.get("GNU.sparse.map", b"")), 0
        pairs = tuple(zip(numbers[::2], numbers[1::2], strict=True))
        return cls(size, pairs), read

    def check(self, stored: int) -> None:
        """Refuse a map whose fragments overlap, exceed the file, or do not sum to ``stored``."""
        end = 0
        for offset, length in self.fragments:
            if offset < end or offset + length > self.size:
                raise InvalidArchive(
                    f"invalid sparse map: {length} bytes at {offset} of a file of {self.size}"
                )
            end = offset + length
        total = sum(length for _, length in self.fragments)
        if total != stored:
            raise InvalidArchive(f"invalid sparse map: it has {total} bytes, {stored} are stored")


def _take_block(take: Take) -> bytes:
    block = take(BLOCK_BYTES)
    if len(block) < BLOCK_BYTES:
        raise Truncated(
            f"archive is cut short: a sparse map's block has {len(block)} bytes, "
            f"expected {BLOCK_BYTES}"
        )
    return block


def _entries(block: bytes, at: int, count: int) -> list[Fragment]:
    fragments = []
    for start in range(at, at + count * _ENTRY_BYTES, _ENTRY_BYTES):
        entry = block[start : start + _ENTRY_BYTES]
        if entry[0] == 0:
            break
        fragments.append(
            (parse_number(entry[:12], "sparse offset"), parse_number(entry[12:], "sparse length"))
        )
    return fragments


def _listed_numbers(text: bytes) -> list[int]:
    values = text.split(b",") if text else []
    _check_count(len(values) // 2)
    if len(values) % 2:
        raise InvalidArchive("invalid sparse map: an offset has no length")
    return [parse_decimal(value, "sparse map") for value in values]


def _leading_numbers(take: Take) -> tuple[list[int], int]:
    """Format 1.0: a count, then that many pairs, a line each, padded to a block."""
    # Counted as blocks arrive: splitting all again with each block is quadratic.
    text = bytearray()
    lines, expected = 0, 1
    while lines < expected:
        block = _take_block(take)
        if not text and b"\n" in block:
            count = parse_decimal(block.partition(b"\n")[0], "sparse map")
            _check_count(count)
            expected = 1 + 2 * count
        text += block
        lines += block.count(b"\n")
        if lines < expected and len(text) > expected * _LINE_BYTES:
            raise InvalidArchive("invalid sparse map: its numbers have no end")
    numbers = bytes(text).split(b"\n", expected)[1:expected]
    return [parse_decimal(number, "sparse map") for number in numbers], len(text)


def _check_count(count: int) -> None:
    if count > MAX_FRAGMENTS:
        raise InvalidArchive(f"sparse map has {count} fragments, at most {MAX_FRAGMENTS} are read")
