"""Verify: the store's files, their sizes and their digests.  Reads only."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator

from oci.digest import Digest, Digester
from registry.storage.blobs.filesystem.file_ops import DIRECTORY
from registry.storage.blobs.names import BLOBS, FAN_OUT, UPLOADS, blob_path, upload_path
from registry.storage.disk.regular_file import DirectoryUnusable, NotRegular, open_regular, size_of

READ_BYTES = 1024 * 1024

# Every directory that has files, relative to the root.
DIRECTORIES = (UPLOADS, *(f"{BLOBS}/{name}" for name in FAN_OUT))

# Told after each read how many bytes it was; may wait, and may raise to end the reading.
OnRead = Callable[[int], None]


def unthrottled(_count: int) -> None:
    """For a reader without a throttle."""


def list_files(root: int, part: str) -> list[str]:
    """The files in one of the PARTS, in no order; none where the directory is missing."""
    try:
        directory = os.open(part, DIRECTORY, dir_fd=root)
    except FileNotFoundError:
        return []
    try:
        return os.listdir(directory)
    finally:
        os.close(directory)


def unknown_files(root: int) -> Iterator[str]:
    """What lies among the directories of the store and is none of them."""
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
    """Whether it is a regular file, as the store's are; or none any more."""
    try:
        return stat.S_ISREG(os.stat(path, dir_fd=root, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return True
    except OSError:
        return False


def hash_blob(
    root: int, physical: str, algorithm: str, on_read: OnRead = unthrottled
) -> Digest | None:
    """The digest of a blob's file, read from the disk; None if there is none.

    Raises OSError where it cannot be read, and whatever ``on_read`` raises.
    """
    try:
        fd = open_regular(blob_path(physical), os.O_RDONLY, directory=root)
    except (FileNotFoundError, NotRegular):
        return None
    digester = Digester(algorithm)
    try:
        # What is in memory may be whole while the disk's copy is not.
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        while chunk := os.pread(fd, READ_BYTES, digester.size):
            digester.update(chunk)
            on_read(len(chunk))
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(fd)
    return digester.digest()
