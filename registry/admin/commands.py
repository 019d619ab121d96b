"""Commands: the table of administrative commands, their functions and arguments."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from types import MappingProxyType
from typing import Any

from registry.admin import backup, disk, garbage, integrity, repositories, uploads
from registry.admin.command import Command, Document, Stopped
from registry.admin.open_registry import OpenRegistry
from registry.errors import CommandRefused

COMMANDS: Mapping[str, Command] = MappingProxyType(
    {
        "backup": Command(
            backup.backup,
            {"directory": str, "copy": bool},
            Stopped(backup.backup_stopped, lambda _given, takes_no_write: takes_no_write),
        ),
        "fsck": Command(
            integrity.fsck,
            {"deep": bool, "repair": bool},
            Stopped(integrity.fsck_stopped, lambda given, _: not given.get("repair")),
        ),
        "gc": Command(garbage.collect, {"dry_run": bool, "all_orphans": bool}),
        "repo delete": Command(repositories.delete, {"name": str}),
        "repo list": Command(repositories.show),
        "repo size": Command(repositories.size, {"name": str, "tag": str}),
        "repo undelete": Command(garbage.undelete_repository, {"name": str}),
        "scrub": Command(integrity.scrub, {"rate": int, "max_duration": float}),
        "tag history": Command(repositories.tag_history, {"name": str, "tag": str}),
        "undelete": Command(garbage.undelete, {"what": str}),
        "unlatch": Command(disk.unlatch),
        "upload cancel": Command(uploads.cancel, {"ids": list, "address": str, "every": bool}),
        "upload list": Command(uploads.show),
    }
)


def find(name: object, arguments: object, commands: Mapping[str, Command] = COMMANDS) -> Command:
    """The command; raises CommandRefused for an unknown name or argument."""
    command = commands.get(name) if isinstance(name, str) else None
    if command is None:
        raise CommandRefused(f"no command {name!r}: is the server older than the command?")
    if not isinstance(arguments, Mapping):
        raise CommandRefused(f"arguments are {arguments!r}, expected an object")
    for key, value in arguments.items():
        kind = command.arguments.get(key)
        if kind is None or not isinstance(value, kind):
            raise CommandRefused(f"{name} does not take {key} = {value!r}")
    return command


def start(
    opened: OpenRegistry,
    name: object,
    arguments: Any,
    commands: Mapping[str, Command] = COMMANDS,
) -> AsyncGenerator[Document, None]:
    """Start a command; raises CommandRefused for an unknown name or argument."""
    command = find(name, arguments, commands)
    try:
        return command.run(opened, **arguments)
    except TypeError as error:
        raise CommandRefused(f"{name}: {error}") from None
