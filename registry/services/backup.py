"""Backup of a registry that is in use, and restoring it somewhere else.

First the rows, in one snapshot; then the files that they name.  No file goes meanwhile: purging
waits until the backup is done.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from pathlib import Path

from registry.errors import StartupError
from registry.services.context import Shared
from registry.storage import backup
from registry.storage.backup import Backup, Label
from registry.storage.blobs.paths import BLOBS, FAN_OUT
from registry.storage.root import DATABASE, LOCK, Root


class Stopped(Exception):
    """The backup was told to stop, between two files."""


async def take(shared: Shared, root: Path, target: Path, *, link: bool = True) -> tuple[Label, int]:
    """Back up everything that was acknowledged before; what is in it, and how many were new."""
    stop = threading.Event()
    directory = Backup(target)
    taken_at = shared.clock.wall_ms()
    async with shared.purging:
        await asyncio.to_thread(directory.prepare)
        await shared.database.copy_to(directory.new_database)
        copying = asyncio.ensure_future(
            asyncio.to_thread(copy, root, directory, taken_at, link, stop)
        )
        try:
            return await asyncio.shield(copying)
        except asyncio.CancelledError:
            # The thread goes on to the end of its file, and until then no file may go.
            stop.set()
            with contextlib.suppress(Exception):
                await copying
            raise


def copy(
    root: Path, directory: Backup, taken_at: int, link: bool, stop: threading.Event
) -> tuple[Label, int]:
    backup.settle(directory.new_database)
    backup.sync_path(directory.new_database)
    names, size, new = [], 0, 0
    for physical, length in backup.named_files(directory.new_database):
        if stop.is_set():
            raise Stopped
        new += backup.copy_blob(root, directory.path, physical, link=link)
        names.append(physical)
        size += length
    label = Label(taken_at, len(names), size)
    directory.finish(label, names)
    return label, new


def restore(source: Path, root: Root) -> Label:
    """Fill an empty root with what a backup holds.  Nothing is linked: the backup stays apart.

    A restore that was cut short goes on.  Raises StartupError if there is no complete backup, or
    if the root holds anything else.
    """
    label = check_complete(source)
    check_fillable(root.path)
    directory = Backup(source)
    target = Backup(root.path)
    for name in ("", *FAN_OUT):
        (root.path / BLOBS / name).mkdir(mode=0o700, exist_ok=True)
    for physical, _ in backup.named_files(directory.database):
        backup.copy_blob(source, root.path, physical, link=False)
    # The database last: a restore that was cut short is no registry.
    backup.copy_durably(directory.database, target.new_database)
    target.new_database.chmod(0o600)
    backup.sync_all(root.path)
    target.new_database.replace(root.database)
    backup.sync_path(root.path)
    return label


def check_complete(source: Path) -> Label:
    """What is in a backup.  Raises StartupError for what is none, or was never complete."""
    directory = Backup(source)
    label = directory.label()
    if label is None or not directory.database.is_file():
        raise StartupError(f"{source} is no complete backup")
    return label


def check_fillable(root: Path) -> None:
    """Raise StartupError unless it is new, empty, or what a restore left that was cut short."""
    try:
        strange = set(os.listdir(root)) - {LOCK, BLOBS, DATABASE + backup.NEW}
    except FileNotFoundError:
        return
    if strange:
        found = "a registry" if DATABASE in strange else ", ".join(sorted(strange)[:3])
        raise StartupError(f"{root} is not empty, it holds {found}: restore into a new directory")
