"""Backup of a registry in use, or of a stopped one.

The rows are copied first, in one snapshot, then the files that they name.  Purging waits until the
backup ends, so that no file is removed meanwhile.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from registry.errors import CommandRefused
from registry.integrity.findings import Finding
from registry.services.context import RegistryState
from registry.storage import backup_directory
from registry.storage.backup_directory import Backup, Label
from registry.storage.blobs.contract import StoredFiles
from registry.storage.blobs.names import blob_path
from registry.storage.blobs.waiting import run_shielded
from registry.storage.clock import Clock
from registry.storage.database.contract import OperatorRows
from registry.storage.database.contract import Rows as Rows
from registry.storage.database.copied import ReferencedFile, finish_copy, referenced_files
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


async def take_backup(state: RegistryState, target: Path, *, link: bool = True) -> BackupResult:
    """Back up everything acknowledged before the call.

    A file that is missing or of the wrong size is reported, and everything else is backed up.
    """
    with contextlib.ExitStack() as held:
        async with state.trash_lock:
            held.enter_context(state.backups.run())
        rows, files = state.database.operator, state.store
        return await copy_registry(rows, files, target, state.clock, link=link)


async def copy_registry(
    rows: OperatorRows, files: StoredFiles, target: Path, clock: Clock, *, link: bool = True
) -> BackupResult:
    """Back up rows and files from which nothing is removed meanwhile; they are not changed.

    Raises CommandRefused for what the backup's directory, or its disk, refuses.
    """
    directory, taken_at = Backup(target), clock.wall_ms()
    try:
        await in_own_thread(directory.prepare)
        await rows.copy_to(directory.new_database)
        await in_own_thread(finish_copy, directory.new_database)
        await in_own_thread(backup_directory.sync_path, directory.new_database)
        return await copy_files(files, directory, taken_at, link=link)
    except OSError as error:
        raise CommandRefused(f"{error.filename or target}: {error.strerror}") from error


async def copy_files(
    store: StoredFiles, directory: Backup, taken_at: int, *, link: bool
) -> BackupResult:
    """Copy the files that the new database names, and make it all the backup."""
    names, size, new, lost = [], 0, 0, []
    for file in referenced_files(directory.new_database):
        stat = await store.stat(file.physical)
        found = None if stat is None else stat.size
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
    reader = await store.reader(file.physical, file.size)
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
