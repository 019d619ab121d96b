"""Backup directory: laid out like a root, and complete once it has a label."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from registry.errors import CommandRefused, StartupError
from registry.storage.blobs.names import BLOBS, FAN_OUT, blob_path
from registry.storage.database.copied import referenced_files
from registry.storage.disk.regular_file import open_regular
from registry.storage.disk.root import DATABASE, LOCK, Root

LABEL = "backup.json"
NEW = ".new"
COPY_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Label:
    """The label: time, files and bytes of a complete backup.  Written last."""

    taken_at: int
    blobs: int
    bytes: int


class Backup:
    """A directory for a backup.

    A second backup into the same directory copies only new files; until it is complete, the first
    one stays valid.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def database(self) -> Path:
        return self.path / DATABASE

    @property
    def new_database(self) -> Path:
        return self.path / (DATABASE + NEW)

    def label(self) -> Label | None:
        """The label, or None if the backup was never complete.  Raises StartupError if corrupt."""
        try:
            return Label(**json.loads((self.path / LABEL).read_text()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise StartupError(f"{self.path / LABEL} is corrupt: {error}") from error

    def prepare(self) -> None:
        """Create the directories.  Raises CommandRefused if the directory has other content."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        unexpected = set(os.listdir(self.path)) - {LABEL, DATABASE, DATABASE + NEW, BLOBS}
        if unexpected:
            found = ", ".join(sorted(unexpected)[:3])
            raise CommandRefused(
                f"{self.path} holds {found}: expected an empty directory, or a backup"
            )
        for name in ("", *FAN_OUT):
            (self.path / BLOBS / name).mkdir(mode=0o700, exist_ok=True)
        self.new_database.unlink(missing_ok=True)

    def finish(self, label: Label, named: Iterable[str]) -> None:
        """Complete the backup, and delete files that only the previous one named."""
        sync_all(self.path)
        os.replace(self.new_database, self.database)
        write_durably(self.path / LABEL, json.dumps(asdict(label)) + "\n")
        keep = set(named)
        for directory in FAN_OUT:
            for name in os.listdir(self.path / BLOBS / directory):
                if name not in keep:
                    (self.path / BLOBS / directory / name).unlink()


def restore(source: Path, root: Root) -> Label:
    """Fill an empty root with copies, not links, of a backup's files.

    An interrupted restore continues.  Raises StartupError if the backup is not complete, or if the
    root holds anything else.
    """
    label = check_complete(source)
    check_restore_target(root.path)
    directory, target = Backup(source), Backup(root.path)
    for name in ("", *FAN_OUT):
        (root.path / BLOBS / name).mkdir(mode=0o700, exist_ok=True)
    for file in referenced_files(directory.database):
        copy_blob(source, root.path, file.physical)
    # The database last: an interrupted restore must not look like a registry.
    copy_durably(directory.database, target.new_database)
    target.new_database.chmod(0o600)
    sync_all(root.path)
    target.new_database.replace(root.database)
    sync_path(root.path)
    return label


def check_complete(source: Path) -> Label:
    """The label of a backup.  Raises StartupError if it is missing or was never completed."""
    directory = Backup(source)
    label = directory.label()
    if label is None or not directory.database.is_file():
        raise StartupError(
            f"{source} is no complete backup: give the directory of one, or take it again with "
            "`registry backup`"
        )
    return label


def check_restore_target(root: Path) -> None:
    """Raise StartupError unless the root is new, empty, or left by an interrupted restore."""
    try:
        unexpected = set(os.listdir(root)) - {LOCK, BLOBS, DATABASE + NEW}
    except FileNotFoundError:
        return
    if unexpected:
        found = "a registry" if DATABASE in unexpected else ", ".join(sorted(unexpected)[:3])
        raise StartupError(f"{root} is not empty, it holds {found}: restore into a new directory")


def size_of(root: Path, physical: str) -> int | None:
    """The size in bytes of a blob's file in a root or a backup; None if missing."""
    try:
        found = (root / blob_path(physical)).stat(follow_symlinks=False)
    except FileNotFoundError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def copy_blob(source: Path, target: Path, physical: str) -> None:
    """Copy a blob's file from a backup to a root, unless it is there with the same size.

    A file that is missing is not copied either: the database says what it should have been.
    """
    if size_of(source, physical) not in (None, size_of(target, physical)):
        copy_durably(source / blob_path(physical), target / blob_path(physical))


def copy_durably(source: Path, target: Path) -> None:
    with (
        open(open_regular(source, os.O_RDONLY), "rb") as old,
        begin_file(target) as new,
    ):
        shutil.copyfileobj(old, new, COPY_BYTES)
        finish_file(new, target)


def begin_file(target: Path) -> BinaryIO:
    """A file under another name, until it is finished."""
    return unfinished(target).open("wb")


def finish_file(new: BinaryIO, target: Path) -> None:
    """Make a file durable, and give it its name."""
    new.flush()
    os.fchmod(new.fileno(), 0o444)
    os.fsync(new.fileno())
    os.replace(unfinished(target), target)


def unfinished(target: Path) -> Path:
    return target.with_name(target.name + NEW)


def write_durably(path: Path, text: str) -> None:
    new = path.with_name(path.name + NEW)
    with new.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)
    sync_path(path.parent)


def sync_all(path: Path) -> None:
    """Make the names in a backup's directories durable."""
    for name in FAN_OUT:
        sync_path(path / BLOBS / name)
    sync_path(path / BLOBS)
    sync_path(path)


def sync_path(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
