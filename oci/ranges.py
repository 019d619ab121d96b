"""Byte ranges: the Range, Content-Range and upload headers of the distribution API.

At most ``MAX_RANGES`` ranges are read, in linear time (rule HT-4).

https://www.rfc-editor.org/rfc/rfc9110 section 14, and
https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-a-blob-in-chunks
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from oci.errors import ErrorCode, OCIError, quoted
from oci.http import MAX_INTEGER

MAX_RANGES = 16
_MAX_RANGE_HEADER = 8192

# RFC 9110 14.1.1: int-range = first-pos "-" [ last-pos ]; suffix-range = "-" suffix-length
#   first-pos = 1*DIGIT; last-pos = 1*DIGIT; suffix-length = 1*DIGIT
_RANGE = re.compile(r"([0-9]{1,19})?-([0-9]{1,19})?", re.ASCII)
# Distribution spec, "Pushing a blob in chunks": Content-Range must match ^[0-9]+-[0-9]+$
_UPLOAD_RANGE = re.compile(r"([0-9]{1,19})-([0-9]{1,19})", re.ASCII)


class InvalidContentRange(OCIError):
    """The Content-Range of a chunk is not ``<first>-<last>``."""

    code = ErrorCode.BLOB_UPLOAD_INVALID


class RangeNotSatisfiable(OCIError):
    """No requested range lies within the content."""

    code = ErrorCode.SIZE_INVALID
    status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE

    def __init__(self, header: str, size: int) -> None:
        super().__init__(f"range {quoted(header)} lies outside the content of {size} bytes")
        self.size = size


@dataclass(frozen=True, slots=True)
class ByteRange:
    """A range of bytes: from ``start`` up to but not including ``stop``."""

    start: int
    stop: int

    @property
    def size(self) -> int:
        return self.stop - self.start

    def content_range(self, total: int) -> str:
        """The Content-Range header for this range of ``total`` bytes."""
        return f"bytes {self.start}-{self.stop - 1}/{total}"


def parse_range(header: str, size: int) -> tuple[ByteRange, ...] | None:
    """Read a Range header for a content of ``size`` bytes.

    None means: ignore the header and send the whole content.  The reason is another unit,
    malformed text, more than 16 ranges, or empty content (some clients request a range
    of every blob).  Overlapping ranges are merged; others keep the order of the request.
    Raises RangeNotSatisfiable if no range remains, or if one ends before it starts.
    """
    unit, equals, text = header.partition("=")
    is_bytes = bool(equals) and unit.strip().lower() == "bytes"
    if size == 0 or not is_bytes or len(text) > _MAX_RANGE_HEADER:
        return None
    ranges: list[ByteRange] = []
    for part in text.split(","):
        match = _RANGE.fullmatch(part.strip(" \t"))
        if match is None or match.group() == "-":
            return None
        wanted = _clamp(match[1], match[2], size)
        if match[1] and match[2] and int(match[2]) < int(match[1]):
            raise RangeNotSatisfiable(header, size)
        if wanted.size > 0:
            ranges.append(wanted)
    if not ranges:
        raise RangeNotSatisfiable(header, size)
    merged = _merge(ranges)
    return merged if len(merged) <= MAX_RANGES else None


def parse_content_range(text: str) -> ByteRange:
    """Read the spec's ``<first>-<last>`` of a chunk, or raise InvalidContentRange."""
    match = _UPLOAD_RANGE.fullmatch(text)
    if match is None:
        raise InvalidContentRange(
            f"invalid Content-Range {quoted(text)}: expected <first>-<last>, both in digits"
        )
    first, last = int(match[1]), int(match[2])
    if last < first or last >= MAX_INTEGER:
        raise InvalidContentRange(
            f"invalid Content-Range {quoted(text)}: expected the last byte at or after the first"
        )
    return ByteRange(first, last + 1)


def format_upload_range(offset: int, empty: str = "0-0") -> str:
    """The Range header of an upload that holds ``offset`` bytes."""
    return f"0-{offset - 1}" if offset > 0 else empty


def _clamp(first: str | None, last: str | None, size: int) -> ByteRange:
    if first is not None:
        start = min(int(first), size)
        stop = size if last is None else min(int(last) + 1, size)
        return ByteRange(start, max(start, stop))
    suffix = min(int(last or "0"), size)
    return ByteRange(size - suffix, size)


def _merge(ranges: Sequence[ByteRange]) -> tuple[ByteRange, ...]:
    ordered = sorted(ranges, key=lambda wanted: wanted.start)
    merged = [ordered[0]]
    for wanted in ordered[1:]:
        if wanted.start < merged[-1].stop:
            merged[-1] = ByteRange(merged[-1].start, max(merged[-1].stop, wanted.stop))
        else:
            merged.append(wanted)
    # Without overlaps keep the request's order: clients match the parts by it.
    return tuple(ranges) if len(merged) == len(ranges) else tuple(merged)
