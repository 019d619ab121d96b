"""Markers beside the database: that a root had one, and that its write-ahead log must be there.

Two empty files.  ``registry.db.created`` is made with the database and stays: a root that has it
is never taken for a new one.  ``registry.db.open`` is there while a process has the database open:
SQLite removes the log when the last connection closes.  If the log is missing while the marker
exists, something else removed it, with the transactions that were only in it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import stat
from collections.abc import Iterator

from registry.errors import StartupError
from registry.storage.blobs.names import BLOBS, UPLOADS
from registry.storage.disk.root import DATABASE, Root

CREATED = f"{DATABASE}.created"
OPEN = f"{DATABASE}.open"
LOG = f"{DATABASE}-wal"

log = logging.getLogger(__name__)


def check_database_present(root: Root) -> None:
    """Raise StartupError where the database is missing, empty or no file.

    In a root that is new it may be missing.
    """
    found = stat_of(root, DATABASE)
    if found is not None and not stat.S_ISREG(found.st_mode):
        raise StartupError(
            f"storage root {root.path}: {DATABASE} is no regular file, expected the database; "
            "restore a backup into a new root with `registry restore`"
        )
    if not has_content(root, DATABASE) and not has_content(root, LOG):
        check_new(root)


def check_new(root: Root) -> None:
    """Raise StartupError for a root without rows that had a database, or that holds files."""
    evidence = f"{CREATED} says that there was one" if exists(root, CREATED) else files_of(root)
    if evidence is None:
        return
    raise StartupError(
        f"storage root {root.path}: the database {DATABASE} is missing or empty, but {evidence}; "
        "restore a backup into a new root with `registry restore`, or move everything in this "
        "root away to begin with an empty registry"
    )


def check_log_present(root: Root) -> None:
    """Raise StartupError where the log was removed after the last process was killed."""
    if exists(root, OPEN) and not exists(root, LOG):
        raise StartupError(
            f"storage root {root.path}: the log {LOG} is missing, and with it what was written "
            "before the last process was killed: put it back, or restore a backup; to do without "
            "these writes, or if a tool of SQLite's has opened the database since, remove the "
            f"file {OPEN} and run `registry fsck --deep`"
        )


def mark_created(root: Root) -> None:
    """Record that this root has had a database."""
    if not exists(root, CREATED):
        make(root, CREATED)


def expect_no_log(root: Root) -> None:
    """Remove the marker, durably: the next process that closes the database removes the log."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(OPEN, dir_fd=root.directory)
        os.fsync(root.directory)


@contextlib.contextmanager
def expecting_log(root: Root) -> Iterator[None]:
    """Keep the marker while the block runs, with the database open."""
    if exists(root, LOG):
        make(root, OPEN)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            expect_no_log(root)


def files_of(root: Root) -> str | None:
    """Describe the first file found in the store; None if there is none."""
    for directory in (BLOBS, UPLOADS):
        for folder, _, names in os.walk(root.path / directory):
            if names:
                return f"there are files in it, such as {os.path.join(folder, names[0])}"
    return None


def make(root: Root, name: str) -> None:
    """Make a marker, durably; without it only the warning at the next start is lost."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        os.close(os.open(name, flags, 0o600, dir_fd=root.directory))
        os.fsync(root.directory)
    except OSError as error:
        log.warning("the marker could not be made", extra={"file": name, "error": str(error)})


def exists(root: Root, name: str) -> bool:
    return stat_of(root, name) is not None


def has_content(root: Root, name: str) -> bool:
    found = stat_of(root, name)
    return found is not None and found.st_size > 0


def stat_of(root: Root, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=root.directory, follow_symlinks=False)
    except FileNotFoundError:
        return None
