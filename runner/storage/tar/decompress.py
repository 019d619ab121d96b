"""Decompress layers chunk by chunk, in this process.

A decompressor on PATH could come from an image (CVE-2026-41567).
"""

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Protocol, cast

from isal import isal_zlib
from isal.igzip_lib import IsalError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

# isal's stub declares its exception as an instance.
_IsalError = cast("type[Exception]", IsalError)

# Largest output per step: memory does not grow with the ratio.
OUTPUT_BYTES: Final = 1 << 20

# So much is given to a member or frame that follows another, then twice as much each time: its
# end copies what it was given beyond it, and a chunk may be a chain of very many.
_FIRST_STEP_BYTES: Final = 4096

_GZIP_WINDOW: Final = 31  # 15 bits, and a gzip header
_ZSTD_WINDOW_LOG: Final = 27  # 128 MiB, zstd's own default


# Enough for a tar header, and for the magic of every compression.
START_BYTES: Final = 512
_TAR_MAGIC_AT: Final = 257
_GZIP_MAGIC: Final = b"\x1f\x8b"
_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
# Compressions that load and import take and that are no layer's; bzip2's with its block sizes, and
# the magic of a block or of the end.
_NO_LAYERS: Final = (
    ("bzip2", re.compile(rb"BZh[1-9](?:1AY&SY|\x17\x72\x45\x38\x50\x90)")),
    ("xz", re.compile(rb"\xfd7zXZ\x00")),
)
# First bytes of the sixteen magic numbers of skippable frames, little-endian.
_ZSTD_SKIPPED: Final = frozenset(bytes([first]) for first in range(0x50, 0x60))


class InvalidCompression(ValueError):
    """The bytes are not valid in their compression."""


@dataclass(frozen=True, slots=True)
class InflationLimit:
    """The largest ratio of inflated to compressed size, for large content: against zip bombs."""

    ratio: int = 200
    free_bytes: int = 1 << 30

    def check(self, compressed: int, inflated: int) -> None:
        """Raise InvalidCompression if ``inflated`` exceeds the ratio."""
        if inflated > max(self.free_bytes, compressed * self.ratio):
            raise InvalidCompression(
                f"it inflates to more than {self.ratio} times its {compressed} bytes"
            )


class Decompressor(Protocol):
    """Compressed bytes in, uncompressed bytes out; ``finish`` raises if the end is missing.

    Every implementation passes tests/runner/storage/tar/test_decompress.py.
    """

    def feed(self, chunk: bytes) -> Iterator[bytes]: ...

    def finish(self) -> None: ...


class _Plain:
    def feed(self, chunk: bytes) -> Iterator[bytes]:
        yield chunk

    def finish(self) -> None:
        pass


class _Gzip:
    """gzip (RFC 1952), with concatenated members, as pigz and stargz write."""

    def __init__(self) -> None:
        self._member = isal_zlib.decompressobj(_GZIP_WINDOW)
        self._has_input = False
        self._ended = False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        rest, step, full = memoryview(chunk), len(chunk), False
        while rest or full:
            if self._member.eof:
                if rest[0] == 0 and not any(rest):
                    return  # padding after the last member, as tape tools leave it
                self._member = isal_zlib.decompressobj(_GZIP_WINDOW)
                step = _FIRST_STEP_BYTES
            self._has_input = True
            piece = rest[:step]
            step *= 2
            try:
                content = self._member.decompress(piece, OUTPUT_BYTES)
            except _IsalError as error:
                raise InvalidCompression(f"layer is not gzip: {error}") from None
            left = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            rest = rest[len(piece) - len(left) :]
            full = len(content) == OUTPUT_BYTES and not self._member.eof
            if content:
                yield content
            elif left and not self._member.eof:
                raise InvalidCompression("layer is not gzip: the stream makes no progress")

    def finish(self) -> None:
        if not self._has_input or not self._member.eof:
            raise InvalidCompression("layer is cut short: its gzip stream has no end")


class Members:
    """Streams that end by themselves, one after another; ``make`` makes a decompressor for each.

    https://docs.python.org/3/library/bz2.html#bz2.BZ2Decompressor has its methods; its errors
    are not translated.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._member = make()
        self._has_input = False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        view, position, step = memoryview(chunk), 0, len(chunk)
        while position < len(view) or not (self._member.eof or self._member.needs_input):
            if self._member.eof:
                self._member = self._make()
                step = _FIRST_STEP_BYTES
            self._has_input = True
            # It takes no more while it has some of the last piece.
            piece = view[position : position + (step if self._member.needs_input else 0)]
            position += len(piece)
            step *= 2
            content = self._member.decompress(piece, OUTPUT_BYTES)
            if self._member.eof:
                position -= len(self._member.unused_data)
            if content:
                yield content

    def finish(self) -> None:
        if not self._has_input or not self._member.eof:
            raise InvalidCompression("it ends too early")


class _Zstd:
    """zstd (RFC 8878), with concatenated frames, as zstd:chunked writes."""

    def __init__(self) -> None:
        options = {int(zstd.DecompressionParameter.window_log_max): _ZSTD_WINDOW_LOG}
        self._frames = Members(lambda: zstd.ZstdDecompressor(options=options))

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        try:
            yield from self._frames.feed(chunk)
        except zstd.ZstdError as error:
            raise InvalidCompression(f"layer is not zstd: {error}") from None

    def finish(self) -> None:
        try:
            self._frames.finish()
        except InvalidCompression:
            raise InvalidCompression("layer is cut short: its zstd stream has no end") from None


def find_compression(start: bytes, declared: str) -> str:
    """Detect a layer's compression from its first ``START_BYTES``.

    Like docker and containerd, the bytes take precedence over the media type, which some clients
    set wrongly.  If nothing is detected, ``declared`` is used, and its decompressor reports errors.
    Raises InvalidCompression for bzip2 and xz, which containerd does not read either.
    """
    if start.startswith(_GZIP_MAGIC):
        return "gzip"
    if start.startswith(_ZSTD_MAGIC) or (
        start[:1] in _ZSTD_SKIPPED and start[1:4] == b"\x2a\x4d\x18"
    ):
        return "zstd"
    if start[_TAR_MAGIC_AT:].startswith(b"ustar") or not start.strip(b"\0"):
        return "none"
    for name, magic in _NO_LAYERS:
        if magic.match(start):
            raise InvalidCompression(f"layer is compressed with {name}, expected gzip or zstd")
    return declared


DECOMPRESSORS: Mapping[str, Callable[[], Decompressor]] = MappingProxyType(
    {"none": _Plain, "gzip": _Gzip, "zstd": _Zstd}
)


def inflate(
    decompressor: Decompressor, chunks: Iterable[bytes], limit: InflationLimit | None = None
) -> Iterator[bytes]:
    """Decompress all chunks; InvalidCompression if they exceed the limit."""
    limit = limit or InflationLimit()
    compressed = inflated = 0
    for chunk in chunks:
        compressed += len(chunk)
        for piece in decompressor.feed(chunk):
            inflated += len(piece)
            limit.check(compressed, inflated)
            yield piece
    decompressor.finish()
