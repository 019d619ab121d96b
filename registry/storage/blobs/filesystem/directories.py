"""The directories of the store: made once, durably, on the root's own file system."""

from __future__ import annotations

import os
import stat

from registry.errors import StartupError
from registry.storage.blobs.filesystem.file_ops import DIRECTORY, FileOps
from registry.storage.blobs.names import BLOBS, FAN_OUT, UPLOADS

TREE = (UPLOADS, BLOBS, *(f"{BLOBS}/{name}" for name in FAN_OUT))
MISSING = "is missing"


def prepare(file_ops: FileOps, root: int) -> None:
    """Make the directories that are missing, or raise StartupError."""
    check_tree(root)
    try:
        prepare_tree(file_ops, root)
    except OSError as error:
        where = f"{error.filename}: " if isinstance(error.filename, str) else ""
        raise StartupError(f"storage root: {where}{error.strerror}") from error
    check_one_device(root)


def check_tree(root: int) -> None:
    """Raise StartupError if one of the directories exists as anything else.

    A symbolic link is not followed: its target may be anywhere, and on another file system.
    """
    for path in TREE:
        found = problem_of(root, path)
        if found not in (None, MISSING):
            raise StartupError(f"storage root: {path} {found}, expected a directory")


def find_problem(root: int) -> str | None:
    """The first of the directories that is not in its place, in words; None if all are."""
    for path in TREE:
        found = problem_of(root, path)
        if found is not None:
            return f"the directory {path} of the storage root {found}"
    return None


def problem_of(root: int, path: str) -> str | None:
    """Why the path cannot be used as a directory; None if it can."""
    try:
        mode = os.stat(path, dir_fd=root, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return MISSING
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    if stat.S_ISDIR(mode):
        return None
    return "is a symbolic link" if stat.S_ISLNK(mode) else "is no directory"


def prepare_tree(file_ops: FileOps, root: int) -> None:
    for name in (UPLOADS, BLOBS):
        make(file_ops, root, name)
    blobs = os.open(BLOBS, DIRECTORY, dir_fd=root)
    try:
        present = set(os.listdir(blobs))
        for name in FAN_OUT:
            if name not in present:
                make(file_ops, blobs, name)
        file_ops.sync(blobs)
    finally:
        os.close(blobs)
    file_ops.sync(root)


def make(file_ops: FileOps, parent: int, name: str) -> None:
    try:
        file_ops.make_directory(parent, name)
    except FileExistsError:
        return  # checked before


def check_one_device(root: int) -> None:
    """Raise StartupError if a rename from uploads to blobs would cross file systems."""
    device = os.fstat(root).st_dev
    for name in (UPLOADS, BLOBS):
        if os.stat(name, dir_fd=root, follow_symlinks=False).st_dev != device:
            raise StartupError(f"storage root: {name} is on another file system than the root")
