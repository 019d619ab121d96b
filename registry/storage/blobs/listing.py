"""Listing: the files of one directory of the store."""

from __future__ import annotations

import os

from registry.storage.blobs.disk import DIRECTORY
from registry.storage.blobs.paths import BLOBS, FAN_OUT, UPLOADS, is_physical, is_session
from registry.storage.blobs.store import StoredFile

# Every directory that has files, relative to the root.
LISTED = (UPLOADS, *(f"{BLOBS}/{name}" for name in FAN_OUT))


def files_in(root: int, directory: str) -> list[StoredFile]:
    """The files in one of LISTED; what disappears meanwhile need not be there."""
    fd = os.open(directory, DIRECTORY, dir_fd=root)
    try:
        return [stored(fd, directory, name) for name in os.listdir(fd)]
    finally:
        os.close(fd)


def stored(fd: int, directory: str, name: str) -> StoredFile:
    try:
        size = os.stat(name, dir_fd=fd, follow_symlinks=False).st_size
    except FileNotFoundError:
        size = 0
    if directory == UPLOADS and is_session(name):
        return StoredFile("upload", name, size)
    if is_physical(name) and directory.endswith(f"/{name[:2]}"):
        return StoredFile("blob", name, size)
    return StoredFile("stranger", f"{directory}/{name}", size)
