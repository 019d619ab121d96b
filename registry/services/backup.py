"""Backup of a registry that is in use, and restoring it somewhere else.

First the rows, in one snapshot; then the files that they name.  No file goes meanwhile: purging
waits until the backup is done.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from registry.errors import StartupError
from registry.services.context import Shared
from registry.storage import backup
from registry.storage.backup import Backup, Label
from registry.storage.blobs.paths import BLOBS, FAN_OUT
from registry.storage.root import Root


async def take(shared: Shared, root: Path, target: Path, *, link: bool = True) -> tuple[Label, int]:
    """Back up everything that was acknowledged before; what is in it, and how many were new."""
    directory = Backup(target)
    taken_at = shared.clock.wall_ms()
    async with shared.purging:
        await asyncio.to_thread(directory.prepare)
        await shared.database.copy_to(directory.new_database)
        return await asyncio.to_thread(copy, root, directory, taken_at, link)


def copy(root: Path, directory: Backup, taken_at: int, link: bool) -> tuple[Label, int]:
    backup.settle(directory.new_database)
    backup.sync_path(directory.new_database)
    names, size, new = [], 0, 0
    for physical, length in backup.named_files(directory.new_database):
        new += backup.copy_blob(root, directory.path, physical, link=link)
        names.append(physical)
        size += length
    label = Label(taken_at, len(names), size)
    directory.finish(label, names)
    return label, new


def restore(source: Path, root: Root) -> Label:
    """Fill an empty root with what a backup holds.  Nothing is linked: the backup stays apart.

    Raises StartupError if there is no complete backup, or if the root is not empty.
    """
    directory = Backup(source)
    label = directory.label()
    if label is None or not directory.database.is_file():
        raise StartupError(f"{source} is no complete backup")
    if root.database.exists():
        raise StartupError(f"{root.path} has a registry already: restore into an empty directory")
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
