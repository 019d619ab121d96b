"""Layers in local files: spool, decompress, measure digest and diff ID, compress.

https://github.com/opencontainers/image-spec/blob/main/layer.md
"""

import bz2
import lzma
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from isal import isal_zlib

from oci.descriptor import Descriptor
from oci.digest import Digest, Digester
from oci.mediatype import OCI_LAYER_GZIP, OCI_LAYER_TAR, OCI_LAYER_ZSTD, compression_of
from runner.errors import BadRequest
from runner.storage.tar.decompress import (
    DECOMPRESSORS,
    InflationLimit,
    InvalidCompression,
    Members,
    inflate,
)
from runner.tasks.threads import in_thread, opened_in_thread

CHUNK_BYTES = 1024 * 1024
GZIP_WINDOW = 31  # 15 bits, and a gzip header without a time in it
# isal's level 2: 447 MB/s and within 3 % of zlib's default, which does 28.
GZIP_LEVEL = 2

# xz -9 takes 65 MiB; the format admits dictionaries of 4 GiB.
XZ_MEMORY_BYTES = 128 * 1024 * 1024

MAGIC: Mapping[bytes, str] = {
    b"\x1f\x8b": OCI_LAYER_GZIP,
    b"\x28\xb5\x2f\xfd": OCI_LAYER_ZSTD,
}
# Compressions accepted for import that are not valid for layers.
OTHER_COMPRESSIONS: Mapping[bytes, Callable[[], Any]] = {
    b"BZh": bz2.BZ2Decompressor,
    b"\xfd7zXZ\x00": partial(lzma.LZMADecompressor, memlimit=XZ_MEMORY_BYTES),
}


@dataclass(frozen=True, slots=True)
class FileRange:
    """A range of a file: a layer inside an archive, or the whole file."""

    path: Path
    start: int
    size: int

    @classmethod
    def whole(cls, path: Path) -> "FileRange":
        return cls(path, 0, path.stat().st_size)

    def chunks(self, offset: int = 0) -> Iterator[bytes]:
        with open(self.path, "rb") as file:
            file.seek(self.start + offset)
            remaining = self.size - offset
            while remaining > 0 and (chunk := file.read(min(CHUNK_BYTES, remaining))):
                remaining -= len(chunk)
                yield chunk

    def read(self) -> bytes:
        return b"".join(self.chunks())

    async def stream(self, offset: int = 0) -> AsyncGenerator[bytes, None]:
        """The bytes from ``offset``, read in a thread."""
        chunks = self.chunks(offset)
        while (chunk := await in_thread(next, chunks, None)) is not None:
            yield chunk


@dataclass(frozen=True, slots=True)
class LayerFile:
    """A layer's blob in a file, with its descriptor and diff ID."""

    descriptor: Descriptor
    diff_id: Digest
    content: FileRange


@asynccontextmanager
async def spool(stream: AsyncIterator[bytes], scratch: Path) -> AsyncIterator[Path]:
    """Spool a stream to a temporary file, removed at the end of the block."""
    await in_thread(scratch.mkdir, parents=True, exist_ok=True)
    path = scratch / f"arriving-{os.urandom(8).hex()}"
    try:
        async with opened_in_thread(path.open, "xb") as file:
            async for chunk in stream:
                await in_thread(file.write, chunk)
        yield path
    finally:
        path.unlink(missing_ok=True)


def drop_spooled(scratch: Path) -> None:
    """Remove the spool files of a killed daemon; blocking."""
    for path in scratch.glob("arriving-*"):
        path.unlink(missing_ok=True)


def decompress_in_place(
    path: Path, *, every: bool = False, limit: InflationLimit | None = None
) -> None:
    """Decompress in place a file whose compression is not valid for layers, or ``every`` one.

    Blocking.  BadRequest if decompression fails or exceeds the limit.
    """
    with open(path, "rb") as file:
        start = file.read(8)
    pieces = _decompressed_chunks(start, path, every, limit)
    if pieces is None:
        return
    temporary = path.with_name(f"{path.name}.plain")
    try:
        with open(temporary, "wb") as out:
            out.writelines(pieces)
        os.replace(temporary, path)
    except (OSError, EOFError, lzma.LZMAError, InvalidCompression) as error:
        raise BadRequest(f"archive does not decompress: {error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _decompressed_chunks(
    start: bytes, path: Path, every: bool, limit: InflationLimit | None
) -> Iterator[bytes] | None:
    for magic, make in OTHER_COMPRESSIONS.items():
        if start.startswith(magic):
            return inflate(Members(make), FileRange.whole(path).chunks(), limit)
    for magic, media_type in MAGIC.items():
        if every and start.startswith(magic):
            decompressor = DECOMPRESSORS[compression_of(media_type)]()
            return inflate(decompressor, FileRange.whole(path).chunks(), limit)
    return None


def measure_layer(content: FileRange, temporary: Path) -> LayerFile:
    """Measure a layer's digest and diff ID; an uncompressed one is compressed into ``temporary``.

    Blocking.  Raises BadRequest for a compression that does not decompress.
    """
    start = next(content.chunks(), b"")[:8]
    media_type = next((MAGIC[magic] for magic in MAGIC if start.startswith(magic)), OCI_LAYER_TAR)
    if media_type == OCI_LAYER_TAR:
        diff_id = _compress(content, temporary)
        content, media_type = FileRange.whole(temporary), OCI_LAYER_GZIP
        blob = _digest(content.chunks())
    else:
        blob, diff_id = _both_digests(content, compression_of(media_type))
    return LayerFile(Descriptor(media_type, blob, content.size), diff_id, content)


def _digest(chunks: Iterator[bytes]) -> Digest:
    digester = Digester()
    for chunk in chunks:
        digester.update(chunk)
    return digester.digest()


def _both_digests(content: FileRange, compression: str) -> tuple[Digest, Digest]:
    blob, diff = Digester(), Digester()
    try:
        for piece in inflate(DECOMPRESSORS[compression](), _digested(content.chunks(), blob)):
            diff.update(piece)
    except InvalidCompression as error:
        raise BadRequest(f"layer: {error}") from error
    return blob.digest(), diff.digest()


def _digested(chunks: Iterator[bytes], digester: Digester) -> Iterator[bytes]:
    for chunk in chunks:
        digester.update(chunk)
        yield chunk


def _compress(content: FileRange, temporary: Path) -> Digest:
    """Write the content compressed by gzip; returns its diff ID."""
    diff = Digester()
    compress = isal_zlib.compressobj(GZIP_LEVEL, isal_zlib.DEFLATED, GZIP_WINDOW)
    with open(temporary, "wb") as file:
        for chunk in content.chunks():
            diff.update(chunk)
            file.write(compress.compress(chunk))
        file.write(compress.flush())
    return diff.digest()
