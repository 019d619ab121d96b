"""The command backup; and restore, which needs no registry."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import asdict
from pathlib import Path

from registry.admin.command import Document
from registry.admin.open_registry import OpenRegistry
from registry.backup.backup import lost_file_finding, take_backup
from registry.errors import CommandRefused, StartupError


async def backup(
    opened: OpenRegistry, directory: str, copy: bool = False
) -> AsyncGenerator[Document, None]:
    """Back up into a directory, given by its whole path.

    First every file that the registry lost, then what is in the backup.
    """
    root = opened.root.path
    target = check_target(directory, root)
    try:
        taken = await take_backup(opened.state, root, target, link=not copy)
    except StartupError as error:
        raise CommandRefused(str(error)) from error
    except OSError as error:
        raise CommandRefused(f"{error.filename or directory}: {error.strerror}") from error
    wrong = 0
    for lost in taken.lost:
        finding = await lost_file_finding(opened.state, lost)
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
