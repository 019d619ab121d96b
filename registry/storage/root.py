"""The root directory: made ready once, and held by one process at a time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Self

from registry.errors import RootInUse, StartupError
from registry.storage.blobs.paths import BLOBS, DATABASE, FAN_OUT, LOCK, UPLOADS

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Root:
    """An opened root.  The lock is the kernel's: it ends with the process, however that ends.

    ``open`` raises RootInUse, naming the process that has it, or StartupError.
    """

    def __init__(self, path: Path, lock: int, directory: int) -> None:
        self.path = path
        self.directory = directory
        self._lock = lock

    @classmethod
    def open(cls, path: Path) -> Self:
        try:
            path.mkdir(parents=True, exist_ok=True)
            lock = take_lock(path)
        except OSError as error:
            raise StartupError(f"storage root {path}: {error.strerror}") from error
        directory = os.open(path, DIRECTORY)
        try:
            prepare(directory)
        except (OSError, StartupError) as error:
            os.close(directory)
            os.close(lock)
            raise StartupError(f"storage root {path}: {error}") from error
        return cls(path, lock, directory)

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


def prepare(root: int) -> None:
    """Make the directories that are missing, durably, on the root's own file system."""
    for name in (UPLOADS, BLOBS):
        make(root, name)
    blobs = os.open(BLOBS, DIRECTORY | os.O_NOFOLLOW, dir_fd=root)
    try:
        present = set(os.listdir(blobs))
        for name in FAN_OUT:
            if name not in present:
                make(blobs, name)
        os.fsync(blobs)
    finally:
        os.close(blobs)
    os.fsync(root)
    check_one_device(root)


def make(parent: int, name: str) -> None:
    try:
        os.mkdir(name, 0o700, dir_fd=parent)
    except FileExistsError:
        return


def check_one_device(root: int) -> None:
    """A rename between uploads and blobs must not be a copy."""
    device = os.fstat(root).st_dev
    for name in (UPLOADS, BLOBS):
        if os.stat(name, dir_fd=root, follow_symlinks=False).st_dev != device:
            raise StartupError(f"{name} is on another file system than the root")
