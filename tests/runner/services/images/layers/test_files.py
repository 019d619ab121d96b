"""Archives made plain: what they may become, and what it may take."""

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from backports import zstd

from runner.errors import BadRequest
from runner.services.images.layers.files import decompress_in_place, drop_spooled
from runner.storage.tar.decompress import InflationLimit

LIMIT = InflationLimit(ratio=10, free_bytes=1 << 20)
COMPRESS = (gzip.compress, bz2.compress, lzma.compress, zstd.compress)


def an_xz_with_a_huge_dictionary() -> bytes:
    """The dictionary's size is one byte of the block's header, which has a checksum."""
    small = lzma.compress(b"content")
    header = bytearray(small[12:20])
    header[4] = 40  # 4 GiB less a byte
    return small[:12] + bytes(header) + zlib.crc32(header).to_bytes(4, "little") + small[24:]


@pytest.mark.parametrize("compress", COMPRESS)
def test_bytes_that_inflate_without_end_are_refused(
    tmp_path: Path, compress: Callable[[bytes], bytes]
) -> None:
    archive = tmp_path / "archive"
    archive.write_bytes(compress(bytes(3 << 20)))

    with pytest.raises(BadRequest, match="inflates to more than 10 times its"):
        decompress_in_place(archive, every=True, limit=LIMIT)

    assert list(tmp_path.iterdir()) == [archive]


@pytest.mark.parametrize("compress", COMPRESS)
def test_several_streams_become_one_file(
    tmp_path: Path, compress: Callable[[bytes], bytes]
) -> None:
    archive = tmp_path / "archive"
    archive.write_bytes(compress(bytes(3 << 18)) + compress(b"second"))

    decompress_in_place(archive, every=True, limit=LIMIT)

    assert archive.read_bytes() == bytes(3 << 18) + b"second"


def test_an_xz_that_wants_gigabytes_of_memory_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    archive.write_bytes(an_xz_with_a_huge_dictionary())

    with pytest.raises(BadRequest, match="Memory usage limit"):
        decompress_in_place(archive)


def test_spool_files_of_a_killed_daemon_are_dropped(tmp_path: Path) -> None:
    for name in ("arriving-1234", "arriving-1234.gz", "other"):
        (tmp_path / name).write_bytes(b"x")

    drop_spooled(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["other"]
