"""Streams one after another: the same content, and no copying of what is still to come."""

import bz2
import gzip
import lzma
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from isal import isal_zlib

from runner.storage.tar import decompress
from runner.storage.tar.decompress import (
    DECOMPRESSORS,
    START_BYTES,
    InvalidCompression,
    Members,
    find_compression,
)

# The module that this Python has: its own, or the backport.
ZSTD = vars(decompress)["zstd"]
CONTENTS = st.lists(
    st.binary(max_size=2000) | st.integers(1, 30_000).map(lambda n: b"x" * n), min_size=1
)


def compress_zstd(content: bytes) -> bytes:
    return bytes(ZSTD.compress(content))


FORMS: dict[str, tuple[Callable[[bytes], bytes], Callable[[], Any]]] = {
    "gzip": (lambda content: gzip.compress(content, mtime=0), DECOMPRESSORS["gzip"]),
    "zstd": (compress_zstd, DECOMPRESSORS["zstd"]),
    "bzip2": (bz2.compress, lambda: Members(bz2.BZ2Decompressor)),
    "xz": (lzma.compress, lambda: Members(lzma.LZMADecompressor)),
}


@pytest.mark.parametrize("form", FORMS)
@settings(deadline=None)
@given(contents=CONTENTS, size=st.integers(1, 100_000))
def test_streams_one_after_another_are_one(form: str, contents: list[bytes], size: int) -> None:
    compress, make = FORMS[form]
    stream = b"".join(map(compress, contents))
    decompressor = make()

    pieces = [
        piece
        for start in range(0, len(stream), size)
        for piece in decompressor.feed(stream[start : start + size])
    ]
    decompressor.finish()

    assert b"".join(pieces) == b"".join(contents)


@pytest.mark.parametrize("form", FORMS)
def test_a_stream_without_its_end_is_cut_short(form: str) -> None:
    compress, make = FORMS[form]
    decompressor = make()

    list(decompressor.feed((compress(b"first") + compress(b"second"))[:-5]))

    with pytest.raises(InvalidCompression):
        decompressor.finish()


class Counted:
    """A decompressor whose copies of what follows its end are counted."""

    copied = 0

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name == "unused_data":
            Counted.copied += len(found)
        return found


@pytest.mark.parametrize("form", FORMS)
def test_a_chain_of_tiny_streams_is_not_copied_again_and_again(
    form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    compress, _ = FORMS[form]
    chain = compress(b"") * 10_000
    gzip_member, zstd_member = isal_zlib.decompressobj, ZSTD.ZstdDecompressor
    makers: dict[str, Callable[[], Any]] = {
        "bzip2": lambda: Members(lambda: Counted(bz2.BZ2Decompressor())),
        "xz": lambda: Members(lambda: Counted(lzma.LZMADecompressor())),
    }
    monkeypatch.setattr(isal_zlib, "decompressobj", lambda w: Counted(gzip_member(w)))
    monkeypatch.setattr(ZSTD, "ZstdDecompressor", lambda **options: Counted(zstd_member(**options)))
    decompressor = makers.get(form, FORMS[form][1])()
    Counted.copied = 0

    assert list(decompressor.feed(chain)) == []
    decompressor.finish()

    # Twice 4 KiB for each at most: a few accesses; the whole chain each time was gigabytes.
    assert Counted.copied < 10_000 * 3 * 4096


@pytest.mark.parametrize(("name", "compress"), [("bzip2", bz2.compress), ("xz", lzma.compress)])
@pytest.mark.parametrize("content", [b"", b"content" * 1000])
def test_a_layer_in_a_compression_of_no_layer_is_refused_by_name(
    name: str, compress: Callable[[bytes], bytes], content: bytes
) -> None:
    with pytest.raises(InvalidCompression, match=f"layer is compressed with {name}, expected"):
        find_compression(compress(content)[:START_BYTES], "gzip")


def test_a_tar_whose_first_name_begins_like_bzip2_is_a_tar() -> None:
    start = b"BZh91AY&SY".ljust(257, b"\0") + b"ustar"

    assert find_compression(start, "gzip") == "none"
