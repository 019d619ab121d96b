"""The root directory: everything a registry keeps, held by one process at a time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Self

from registry.errors import RootInUse, StartupError

LOCK = "lock"
DATABASE = "registry.db"


class Root:
    """An opened root.  The lock is the kernel's: it ends with the process, however that ends.

    ``open`` raises RootInUse, naming the process that has it, or StartupError.
    """

    def __init__(self, path: Path, lock: int, directory: int) -> None:
        self.path = path
        self.directory = directory
        self._lock = lock
        self.was_unclean = has_log(path)
        """Whether whoever had the root before was killed: a registry that ends leaves no log."""

    @classmethod
    def open(cls, path: Path) -> Self:
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = take_lock(path)
        except OSError as error:
            raise StartupError(f"storage root {path}: {error.strerror}") from error
        return cls(path, lock, os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))

    @property
    def database(self) -> Path:
        return self.path / DATABASE

    def close(self) -> None:
        """Let another process have the root.  The last thing to be closed."""
        os.close(self.directory)
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


def take_lock(root: Path) -> int:
    lock = os.open(root / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(lock, 20, 0).decode(errors="replace").strip() or "unknown"
        os.close(lock)
        raise RootInUse(
            f"storage root {root} is in use by another registry, process {holder}; "
            "stop that one first, or give this one its own root"
        ) from None
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    return lock
