"""Snapshot → layer: the changes in an upper directory as a tar archive.

https://github.com/opencontainers/image-spec/blob/main/layer.md#representing-changes

Reproducible: sorted names, numeric owners, whole seconds.  Sockets are skipped, as tar cannot
represent them.
"""

import os
import stat
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

from oci.layer import OPAQUE, WHITEOUT_PREFIX
from runner.errors import Conflict
from runner.storage.files.walk import Entry, walk
from runner.storage.files.xattrs import file_xattrs, is_opaque
from runner.storage.tar import reader
from runner.storage.tar.errors import BLOCK_BYTES
from runner.storage.tar.headers import header, padding
from runner.storage.tar.reader import Member
from runner.tasks.threads import in_thread

_CHUNK_BYTES: Final = 1 << 20
_TYPES: Final = {
    stat.S_IFDIR: reader.DIRECTORY,
    stat.S_IFREG: reader.REGULAR,
    stat.S_IFLNK: reader.SYMLINK,
    stat.S_IFCHR: reader.CHARACTER_DEVICE,
    stat.S_IFBLK: reader.BLOCK_DEVICE,
    stat.S_IFIFO: reader.FIFO,
}


async def diff(upper: Path, *, newest: int | None = None) -> AsyncIterator[bytes]:
    """The layer's uncompressed bytes, about a MiB at a time, read in a thread.

    ``newest`` is a SOURCE_DATE_EPOCH in seconds: later modification times are set to it.
    """
    pieces = changes(upper, newest=newest)
    while chunk := await in_thread(_rechunk, pieces):
        yield chunk


def changes(upper: Path, *, newest: int | None = None) -> Iterator[bytes]:
    """The layer's uncompressed bytes in pieces of any size; blocking."""
    names: dict[tuple[int, int], bytes] = {}
    yield from _root(upper, newest)
    for entry in walk(upper):
        if entry.is_whiteout:
            yield header(_whiteout(entry, WHITEOUT_PREFIX.encode() + entry.name))
            continue
        kind = _TYPES.get(stat.S_IFMT(entry.stat.st_mode))
        if kind is None:
            continue
        first = names.setdefault((entry.stat.st_dev, entry.stat.st_ino), entry.path)
        if kind != reader.DIRECTORY and first != entry.path:
            yield header(_member(entry, reader.HARD_LINK, newest, linkname=first))
            continue
        yield from _added(entry, kind, newest)
    yield bytes(2 * BLOCK_BYTES)


def _added(entry: Entry, kind: bytes, newest: int | None) -> Iterator[bytes]:
    if kind == reader.REGULAR:
        size = entry.stat.st_size
        yield header(_member(entry, kind, newest, size=size))
        yield from _content(entry, size)
    elif kind == reader.SYMLINK:
        target = os.readlink(entry.name, dir_fd=entry.directory)
        yield header(_member(entry, kind, newest, linkname=target))
    elif kind == reader.DIRECTORY:
        yield header(_member(entry, kind, newest))
        if is_opaque(entry.reachable):
            yield header(_whiteout(entry, entry.name + b"/" + OPAQUE.encode()))
    else:
        yield header(_member(entry, kind, newest))


def _root(upper: Path, newest: int | None) -> Iterator[bytes]:
    found = upper.stat()
    yield header(
        Member(
            reader.DIRECTORY,
            b"./",
            b"",
            found.st_mode & 0o7777,
            found.st_uid,
            found.st_gid,
            0,
            _seconds(found, newest) * 10**9,
            (0, 0),
            file_xattrs(str(upper)),
        )
    )


def _member(
    entry: Entry, kind: bytes, newest: int | None, *, size: int = 0, linkname: bytes = b""
) -> Member:
    found = entry.stat
    return Member(
        type=kind,
        name=entry.path + b"/" if kind == reader.DIRECTORY else entry.path,
        linkname=linkname,
        mode=found.st_mode & 0o7777,
        uid=found.st_uid,
        gid=found.st_gid,
        size=size,
        mtime_ns=_seconds(found, newest) * 10**9,
        device=(os.major(found.st_rdev), os.minor(found.st_rdev)),
        xattrs=file_xattrs(entry.reachable) if kind in {reader.REGULAR, reader.DIRECTORY} else {},
    )


def _whiteout(entry: Entry, name: bytes) -> Member:
    """A whiteout or opaque marker beside the entry: an empty file."""
    parent = entry.path[: len(entry.path) - len(entry.name)]
    return Member(reader.REGULAR, parent + name, b"", 0, 0, 0, 0, 0, (0, 0))


def _content(entry: Entry, size: int) -> Iterator[bytes]:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(entry.name, flags, dir_fd=entry.directory)
    try:
        remaining = size
        while remaining:
            chunk = os.read(descriptor, min(_CHUNK_BYTES, remaining))
            if not chunk:
                raise Conflict(f"{os.fsdecode(entry.path)} became shorter while it was read")
            remaining -= len(chunk)
            yield chunk
    finally:
        os.close(descriptor)
    yield padding(size)


def _seconds(found: os.stat_result, newest: int | None) -> int:
    seconds = found.st_mtime_ns // 10**9
    return seconds if newest is None else min(seconds, newest)


def _rechunk(pieces: Iterator[bytes]) -> bytes:
    gathered, size = [], 0
    for piece in pieces:
        gathered.append(piece)
        size += len(piece)
        if size >= _CHUNK_BYTES:
            break
    return b"".join(gathered)
