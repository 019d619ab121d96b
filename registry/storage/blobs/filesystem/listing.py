"""List the files of one directory of the store."""

from __future__ import annotations

import os
import stat

from registry.storage.blobs.contract import StoredFile
from registry.storage.blobs.filesystem.file_ops import DIRECTORY
from registry.storage.blobs.names import (
    BLOBS,
    FAN_OUT,
    UPLOADS,
    is_physical,
    is_session,
    session_of,
)

# Every directory that can hold files, relative to the root, with the parent of the fan-out.
LISTED = (BLOBS, UPLOADS, *(f"{BLOBS}/{name}" for name in FAN_OUT))


def files_in(root: int, directory: str) -> list[StoredFile]:
    """The files in one of LISTED, in the order of their names; none where it is missing.

    Files that disappear meanwhile may be missing.
    """
    known = frozenset(FAN_OUT if directory == BLOBS else ())
    try:
        fd = os.open(directory, DIRECTORY, dir_fd=root)
    except FileNotFoundError:
        return []
    try:
        listed = (
            stored(fd, directory, name) for name in sorted(os.listdir(fd)) if name not in known
        )
        return [file for file in listed if file is not None]
    finally:
        os.close(fd)


def stored(fd: int, directory: str, name: str) -> StoredFile | None:
    try:
        found = os.stat(name, dir_fd=fd, follow_symlinks=False)
    except FileNotFoundError:
        return None
    path = f"{directory}/{name}"
    if not stat.S_ISREG(found.st_mode) or directory == BLOBS:
        return StoredFile("unknown", path, found.st_size, path)
    if directory == UPLOADS and is_session(name):
        return StoredFile("upload", name, found.st_size, path, name)
    if is_physical(name) and directory.endswith(f"/{name[:2]}"):
        return StoredFile("blob", name, found.st_size, path, session_of(name))
    session = name if is_session(name) else session_of(name)
    return StoredFile("misnamed", path, found.st_size, path, session)
