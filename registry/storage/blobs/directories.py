"""The directories of the store: made once, durably, on the root's own file system."""

from __future__ import annotations

import os
import stat

from registry.errors import StartupError
from registry.storage.blobs.paths import BLOBS, FAN_OUT, UPLOADS

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def prepare(root: int) -> None:
    """Make the directories that are missing, or raise StartupError."""
    try:
        prepare_tree(root)
    except OSError as error:
        raise StartupError(f"storage root: {error.filename}: {error.strerror}") from error
    check_one_device(root)


def prepare_tree(root: int) -> None:
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


def make(parent: int, name: str) -> None:
    try:
        os.mkdir(name, 0o700, dir_fd=parent)
    except FileExistsError:
        if not stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
            raise


def check_one_device(root: int) -> None:
    """A rename between uploads and blobs must not be a copy."""
    device = os.fstat(root).st_dev
    for name in (UPLOADS, BLOBS):
        if os.stat(name, dir_fd=root, follow_symlinks=False).st_dev != device:
            raise StartupError(f"storage root: {name} is on another file system than the root")
