"""The command backup."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import asdict
from pathlib import Path

from registry.admin.command import Document
from registry.admin.open_registry import OpenRegistry
from registry.backup.backup import (
    BackupResult,
    Rows,
    copy_registry,
    lost_file_finding,
    take_backup,
)
from registry.errors import CommandRefused
from registry.services.operator.stopped import StoppedRegistry


async def backup(
    opened: OpenRegistry, directory: str, copy: bool = False
) -> AsyncGenerator[Document, None]:
    """Back up into a directory, given by an absolute path.

    Yields a finding for every lost file, then the summary of the backup.
    """
    root = opened.root.path
    target = check_target(directory, root)
    taken = await take_backup(opened.state, target, link=not copy)
    async for document in documents(taken, opened.state.database.operator):
        yield document


async def backup_stopped(
    stopped: StoppedRegistry, directory: str, copy: bool = False
) -> AsyncGenerator[Document, None]:
    """As ``backup``, of a registry in which nothing can be written."""
    target = check_target(directory, stopped.path)
    taken = await copy_registry(stopped.rows, stopped.files, target, stopped.clock, link=not copy)
    async for document in documents(taken, stopped.rows):
        yield document


async def documents(taken: BackupResult, rows: Rows) -> AsyncGenerator[Document, None]:
    """Yields a document for each lost blob, then the count of files in the backup."""
    wrong = 0
    for lost in taken.lost:
        finding = await lost_file_finding(rows, lost)
        wrong += not finding.harmless
        yield {"finding": finding.to_json()}
    yield {"summary": {**asdict(taken.label), "new": taken.new, "wrong": wrong}}


def check_target(directory: str, root: Path) -> Path:
    target = Path(directory)
    if not target.is_absolute():
        raise CommandRefused(f"{directory!r}: expected a whole path")
    if root.resolve() in (target.resolve(), *target.resolve().parents):
        raise CommandRefused(f"{directory}: expected a directory outside the registry's own")
    return target
