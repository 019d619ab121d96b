"""Opened sessions: the bytes of an upload in one file, which one writer has at a time.

A writer holds a lock of its file (flock) until it has released the session.  A newer claim does not
wait for it: it takes the bytes over into a file of its own, and what the older one still writes
goes to a file without a name.
"""

from __future__ import annotations

import fcntl
import os
from typing import NamedTuple

from registry.storage.blobs.filesystem.file_ops import FileOps
from registry.storage.blobs.names import upload_path
from registry.storage.disk.regular_file import NotRegular, open_regular, parent_of

COPY_BYTES = 1024 * 1024


class OpenedSession(NamedTuple):
    """An open file of a session, and its size in bytes when it was opened."""

    fd: int
    size: int
    is_alone: bool
    """Whether no other writer has it open."""


def create_session(file_ops: FileOps, root: int, session: str) -> None:
    path = upload_path(session)
    with parent_of(path, root):
        os.close(file_ops.create(root, path))


def open_session(root: int, session: str) -> OpenedSession | None:
    """Open the session's file for a writer; None if there is none, or if it is a blob already."""
    try:
        path = upload_path(session)
    except FileNotFoundError:
        return None
    while True:
        try:
            fd = open_writable(path, root)
        except (FileNotFoundError, NotRegular):
            return None
        is_alone = lock(fd)
        # Between the opening and the lock a commit may have made it a blob, or a newer claim
        # unlinked it.
        if has_name(fd, root, path):
            return OpenedSession(fd, os.fstat(fd).st_size, is_alone)
        os.close(fd)


def open_writable(path: str, root: int) -> int:
    """Open a session's file, also one that a commit had sealed when it was killed."""
    try:
        return open_regular(path, os.O_RDWR, directory=root)
    except PermissionError:
        fd = open_regular(path, os.O_RDONLY, directory=root)
        try:
            os.fchmod(fd, 0o600)
        finally:
            os.close(fd)
        return open_regular(path, os.O_RDWR, directory=root)


def has_name(fd: int, root: int, path: str) -> bool:
    """Whether the path still leads to the open file."""
    try:
        found = os.stat(path, dir_fd=root, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(found, os.fstat(fd))


def lock(fd: int) -> bool:
    """Whether no other writer has the file open; from now on others find this one."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a file system without locks, on which nothing tells of another writer
    return True


def keep_first(file_ops: FileOps, root: int, session: str, opened: OpenedSession, size: int) -> int:
    """Drop all but the first ``size`` bytes, and every other writer; the descriptor to go on with.

    Closes the one that was opened unless it is the same.
    """
    if opened.is_alone:
        file_ops.truncate(opened.fd, size)
        return opened.fd
    path = upload_path(session)
    file_ops.unlink(root, path)
    own = file_ops.create(root, path)
    try:
        lock(own)
        copied = 0
        while copied < size:
            chunk = os.pread(opened.fd, min(COPY_BYTES, size - copied), copied)
            if not chunk:
                break
            copied += file_ops.write(own, [chunk], copied)
    except BaseException:
        os.close(own)
        raise
    os.close(opened.fd)
    return own
