"""Verify the store's files: names, sizes and digests.  Read-only."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator

from oci.digest import Digest, Digester
from registry.storage.blobs.filesystem.file_ops import DIRECTORY
from registry.storage.blobs.names import BLOBS, FAN_OUT, UPLOADS, blob_path, upload_path
from registry.storage.disk.regular_file import DirectoryUnusable, NotRegular, open_regular, size_of

READ_BYTES = 1024 * 1024

# Every directory that can hold files, relative to the root.
DIRECTORIES = (UPLOADS, *(f"{BLOBS}/{name}" for name in FAN_OUT))

# Called after each read with its number of bytes; may wait, and may raise to stop reading.
OnRead = Callable[[int], None]


def unthrottled(_count: int) -> None:
    """Never wait."""


def list_files(root: int, part: str) -> list[str]:
    """The names in one of DIRECTORIES, unordered; none if it is missing."""
    try:
        directory = os.open(part, DIRECTORY, dir_fd=root)
    except FileNotFoundError:
        return []
    try:
        return os.listdir(directory)
    finally:
        os.close(directory)


def unknown_files(root: int) -> Iterator[str]:
    """Names under blobs/ that are not directories of the store."""
    known = {part.rpartition("/")[2] for part in DIRECTORIES}
    for name in list_files(root, BLOBS):
        if name not in known:
            yield f"{BLOBS}/{name}"


def blob_size(root: int, physical: str) -> int | None:
    """The size of a blob's file, or None if there is none."""
    try:
        path = blob_path(physical)
    except FileNotFoundError:
        return None
    return size_of(path, root)


def upload_size(root: int, session: str) -> int | None:
    """The size of an upload session's file, or None if there is none."""
    try:
        return size_of(upload_path(session), root)
    except (FileNotFoundError, DirectoryUnusable):
        return None


def is_file(root: int, path: str) -> bool:
    """Whether the path is a regular file, or does not exist any more."""
    try:
        return stat.S_ISREG(os.stat(path, dir_fd=root, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return True
    except OSError:
        return False


def hash_blob(
    root: int, physical: str, algorithm: str, on_read: OnRead = unthrottled
) -> Digest | None:
    """The digest of a blob's file, read from the disk and not from the cache; None if missing.

    Raises OSError where it cannot be read, and whatever ``on_read`` raises.
    """
    try:
        fd = open_regular(blob_path(physical), os.O_RDONLY, directory=root)
    except (FileNotFoundError, NotRegular):
        return None
    digester = Digester(algorithm)
    try:
        # The cached copy may be good while the disk's is corrupt.
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        while chunk := os.pread(fd, READ_BYTES, digester.size):
            digester.update(chunk)
            on_read(len(chunk))
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(fd)
    return digester.digest()
