"""The directories of the store: made once, durably, on the root's own file system."""

from __future__ import annotations

import os
import stat

from registry.errors import StartupError
from registry.storage.blobs.disk import DIRECTORY, Disk
from registry.storage.blobs.paths import BLOBS, FAN_OUT, UPLOADS


def prepare(disk: Disk, root: int) -> None:
    """Make the directories that are missing, or raise StartupError."""
    try:
        prepare_tree(disk, root)
    except OSError as error:
        raise StartupError(f"storage root: {error.filename}: {error.strerror}") from error
    check_one_device(root)


def prepare_tree(disk: Disk, root: int) -> None:
    for name in (UPLOADS, BLOBS):
        make(disk, root, name)
    blobs = os.open(BLOBS, DIRECTORY, dir_fd=root)
    try:
        present = set(os.listdir(blobs))
        for name in FAN_OUT:
            if name not in present:
                make(disk, blobs, name)
        disk.sync(blobs)
    finally:
        os.close(blobs)
    disk.sync(root)


def make(disk: Disk, parent: int, name: str) -> None:
    try:
        disk.make_directory(parent, name)
    except FileExistsError:
        if not stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
            raise


def check_one_device(root: int) -> None:
    """A rename between uploads and blobs must not be a copy."""
    device = os.fstat(root).st_dev
    for name in (UPLOADS, BLOBS):
        if os.stat(name, dir_fd=root, follow_symlinks=False).st_dev != device:
            raise StartupError(f"storage root: {name} is on another file system than the root")
