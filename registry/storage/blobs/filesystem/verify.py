"""Verify: the digest of a file, read again from its start."""

from __future__ import annotations

import os

from oci.digest import Digest, Digester
from registry.storage.blobs.contract import Pace, unpaced
from registry.storage.blobs.names import blob_path
from registry.storage.disk.regular_file import NotRegular, open_regular

READ_BYTES = 1024 * 1024


def hash_blob(root: int, physical: str, algorithm: str, pace: Pace | None) -> Digest | None:
    """The digest of a blob's file; None if there is none.

    With a pace it is read from the disk: what is in memory may be whole while the disk's copy is
    not.  Raises OSError where it cannot be read, and whatever the pace raises.
    """
    try:
        fd = open_regular(blob_path(physical), os.O_RDONLY, directory=root)
    except (FileNotFoundError, NotRegular):
        return None
    try:
        if pace is None:
            return hash_file(fd, algorithm)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        digest = hash_file(fd, algorithm, pace)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        return digest
    finally:
        os.close(fd)


def hash_file(fd: int, algorithm: str, pace: Pace = unpaced) -> Digest:
    """The digest of a whole file that is open."""
    digester = Digester(algorithm)
    while chunk := os.pread(fd, READ_BYTES, digester.size):
        digester.update(chunk)
        pace(len(chunk))
    return digester.digest()
