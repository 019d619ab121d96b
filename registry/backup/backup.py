"""Backup of a registry in use, and restore into a new root.

The rows are copied first, in one snapshot, then the files that they name.  Purging waits until the
backup ends, so that no file is removed meanwhile.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

from registry.backup import directory as backup_directory
from registry.backup.directory import Backup, Label, ReferencedFile
from registry.errors import StartupError
from registry.integrity.findings import Finding
from registry.services.context import RegistryState
from registry.storage.blobs.names import BLOBS, FAN_OUT, blob_path
from registry.storage.blobs.store import StoredFiles
from registry.storage.blobs.waiting import run_shielded
from registry.storage.clock import Clock, SystemClock
from registry.storage.database.contract import OperatorRows
from registry.storage.database.contract import Rows as Rows
from registry.storage.disk.root import DATABASE, LOCK, Root
from registry.storage.metadata.integrity import checks
from registry.storage.own_thread import in_own_thread


class LostFile(NamedTuple):
    """A file that is missing or has the wrong size."""

    file: ReferencedFile
    found: int | None
    """Its size in bytes; None without a file."""
    is_backed_up: bool
    """Whether an earlier backup in the same directory has it."""


class BackupResult(NamedTuple):
    """The backup's label, the number of new files, and the files that the registry has lost."""

    label: Label
    new: int
    lost: Sequence[LostFile]


@dataclass(frozen=True, slots=True)
class StoppedRegistry:
    """The rows and files of a registry from which nothing is removed meanwhile."""

    rows: OperatorRows
    files: StoredFiles
    clock: Clock = field(default_factory=SystemClock)


async def take_backup(state: RegistryState, target: Path, *, link: bool = True) -> BackupResult:
    """Back up everything acknowledged before the call.

    A file that is missing or of the wrong size is reported, and everything else is backed up.
    """
    with contextlib.ExitStack() as held:
        async with state.trash_lock:
            held.enter_context(state.backups.run())
        stopped = StoppedRegistry(state.database.operator, state.store, state.clock)
        return await take_stopped_backup(stopped, target, link=link)


async def take_stopped_backup(
    stopped: StoppedRegistry, target: Path, *, link: bool = True
) -> BackupResult:
    """As ``take_backup``, where nobody removes files meanwhile; nothing is written there."""
    directory, taken_at = Backup(target), stopped.clock.wall_ms()
    await in_own_thread(directory.prepare)
    await stopped.rows.copy_to(directory.new_database)
    await in_own_thread(backup_directory.finish_database, directory.new_database)
    await in_own_thread(backup_directory.sync_path, directory.new_database)
    return await copy_files(stopped.files, directory, taken_at, link=link)


async def copy_files(
    store: StoredFiles, directory: Backup, taken_at: int, *, link: bool
) -> BackupResult:
    """Copy the files that the new database names, and make it all the backup."""
    names, size, new, lost = [], 0, 0, []
    for file in backup_directory.referenced_files(directory.new_database):
        found = await store.stat(file.physical)
        if found == file.size:
            # To its end, though nobody waits any more: until then no file may go.
            new += await run_shielded(copy_file(store, directory, file, link=link))
        is_backed_up = backup_directory.size_of(directory.path, file.physical) == file.size
        if is_backed_up:
            names.append(file.physical)
            size += file.size
        if found != file.size:
            lost.append(LostFile(file, found, is_backed_up))
    label = Label(taken_at, len(names), size)
    await run_shielded(in_own_thread(directory.finish, label, names))
    return BackupResult(label, new, lost)


async def copy_file(
    store: StoredFiles, directory: Backup, file: ReferencedFile, *, link: bool
) -> bool:
    """Copy a blob's file, or link it; False if it is there, or has gone."""
    if backup_directory.size_of(directory.path, file.physical) == file.size:
        return False
    target = directory.path / blob_path(file.physical)
    target.unlink(missing_ok=True)
    if link and await store.link(file.physical, target):
        return True
    reader = await store.open(file.physical)
    if reader is None:
        return False
    try:
        with await in_own_thread(backup_directory.begin_file, target) as new:
            async for chunk in reader.chunks():
                await in_own_thread(new.write, chunk)
            await in_own_thread(backup_directory.finish_file, new, target)
    finally:
        await reader.aclose()
    return True


async def lost_file_finding(rows: Rows, lost: LostFile) -> Finding:
    """The finding for a lost file; one in the trash is harmless, because it cannot be pulled.

    A push may have replaced it, or a purge may have been interrupted after removing it.
    """
    file = lost.file
    found = "no file" if lost.found is None else f"a file of {lost.found} bytes"
    expected = f"{file.size} bytes in {file.physical}"
    kept = "the backup has it, from before" if lost.is_backed_up else ""
    if file.is_trash:
        return Finding("I1", f"trash {file.digest}", found, expected, harmless=True, repaired=kept)
    affects = await rows.read(partial(checks.tags_on_blob, digest=file.digest))
    return Finding("I1", f"blob {file.digest}", found, expected, affects, repaired=kept)


def restore(source: Path, root: Root) -> Label:
    """Fill an empty root with copies, not links, of a backup's files.

    An interrupted restore continues.  Raises StartupError if the backup is not complete, or if the
    root holds anything else.
    """
    label = check_complete(source)
    check_restore_target(root.path)
    directory = Backup(source)
    target = Backup(root.path)
    for name in ("", *FAN_OUT):
        (root.path / BLOBS / name).mkdir(mode=0o700, exist_ok=True)
    for file in backup_directory.referenced_files(directory.database):
        backup_directory.copy_blob(source, root.path, file.physical)
    # The database last: an interrupted restore must not look like a registry.
    backup_directory.copy_durably(directory.database, target.new_database)
    target.new_database.chmod(0o600)
    backup_directory.sync_all(root.path)
    target.new_database.replace(root.database)
    backup_directory.sync_path(root.path)
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
        strange = set(os.listdir(root)) - {LOCK, BLOBS, DATABASE + backup_directory.NEW}
    except FileNotFoundError:
        return
    if strange:
        found = "a registry" if DATABASE in strange else ", ".join(sorted(strange)[:3])
        raise StartupError(f"{root} is not empty, it holds {found}: restore into a new directory")
