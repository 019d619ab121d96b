"""The root directory of a registry, locked by one process at a time."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

from registry.errors import RootInUse, StartupError

LOCK = "lock"
DATABASE = "registry.db"
# Advice on an error, after the system's own words for it.
ADVICE = {
    errno.ENOSPC: "; make room on its disk",
    errno.EDQUOT: "; make room in its quota",
    errno.EACCES: "; give it to the user of this process",
    errno.EROFS: "; make it writable, or only use `registry fsck` and `registry backup`",
}
LOCK_FLAGS = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW


class Root:
    """An open, locked root.  The locks are flock(2)'s: the kernel releases them with the process.

    The directory is locked, so that removing the lock file lets no second process in; and so is the
    lock file, which holds the process id and which older programs lock.  ``open`` raises RootInUse,
    naming that process, or StartupError.
    """

    def __init__(self, path: Path, lock: int | None, directory: int) -> None:
        self.path = path
        self.directory = directory
        self._lock = lock
        self.was_unclean = has_log(path)
        """Whether the last process was killed: a registry that ends properly leaves no log."""

    @classmethod
    def open(cls, path: Path) -> Self:
        """Create the directory if missing, and lock it."""
        with translate_os_errors(path), ExitStack() as opened:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            directory = open_directory(path, opened)
            lock = os.open(LOCK, LOCK_FLAGS | os.O_CREAT, 0o600, dir_fd=directory)
            opened.callback(os.close, lock)
            take_locks(path, directory, lock)
            write_process(lock)
            opened.pop_all()
            return cls(path, lock, directory)

    @classmethod
    def open_to_read(cls, path: Path) -> Self:
        """Lock a root without changing it, as on a read-only file system."""
        with translate_os_errors(path), ExitStack() as opened:
            directory = open_directory(path, opened)
            lock = open_lock_to_read(directory, opened)
            take_locks(path, directory, lock)
            opened.pop_all()
            return cls(path, lock, directory)

    @property
    def database(self) -> Path:
        return self.path / DATABASE

    def close(self) -> None:
        """Release the locks.  Must be closed last."""
        os.close(self.directory)
        if self._lock is not None:
            os.close(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def has_log(root: Path) -> bool:
    try:
        return (root / f"{DATABASE}-wal").stat().st_size > 0
    except FileNotFoundError:
        return False


@contextmanager
def translate_os_errors(path: Path) -> Iterator[None]:
    """Translate an OSError in the block to StartupError."""
    try:
        yield
    except FileExistsError as error:
        raise StartupError(f"storage root {path}: {os.strerror(errno.ENOTDIR)}") from error
    except OSError as error:
        advice = ADVICE.get(error.errno or 0, "")
        raise StartupError(f"storage root {path}: {error.strerror}{advice}") from error


def write_process(lock: int) -> None:
    """Say in the lock file whose the root is; on a full disk nobody is told."""
    try:
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise


def open_directory(path: Path, opened: ExitStack) -> int:
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    opened.callback(os.close, directory)
    return directory


def open_lock_to_read(directory: int, opened: ExitStack) -> int | None:
    try:
        lock = os.open(LOCK, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=directory)
    except FileNotFoundError:
        return None
    opened.callback(os.close, lock)
    return lock


def take_locks(path: Path, directory: int, lock: int | None) -> None:
    """Lock the directory and the lock file.  Raises RootInUse."""
    try:
        for fd in (directory, lock):
            if fd is not None:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = "" if lock is None else os.pread(lock, 20, 0).decode(errors="replace").strip()
        raise RootInUse(
            f"storage root {path} is in use by another registry, process {holder or 'unknown'}; "
            "stop that one first, or give this one its own root"
        ) from None
