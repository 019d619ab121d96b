"""Commands: the table of administrative commands, their functions and arguments."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from types import MappingProxyType
from typing import Any

from registry.admin import (
    audit,
    backup,
    disk,
    garbage,
    identities,
    integrity,
    permissions,
    repositories,
    uploads,
)
from registry.admin.command import Command, Document, Stopped
from registry.admin.open_registry import OpenRegistry
from registry.errors import CommandRefused

COMMANDS: Mapping[str, Command] = MappingProxyType(
    {
        "audit export": audit.EXPORT,
        "audit list": audit.LIST,
        "audit verify": audit.VERIFY,
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
        "grant add": Command(permissions.add_grant, {"who": str, "role": str, "pattern": str}),
        "grant explain": Command(
            permissions.explain, {"who": str, "action": str, "name": str, "tag": str}
        ),
        "grant list": Command(permissions.list_grants, {"who": str}),
        "grant remove": Command(permissions.remove_grant, {"who": str, "pattern": str}),
        "group add": Command(identities.add_group, {"name": str}),
        "group list": Command(identities.list_groups),
        "group member add": Command(identities.add_member, {"name": str, "member": str}),
        "group member remove": Command(identities.remove_member, {"name": str, "member": str}),
        "group remove": Command(identities.remove_group, {"name": str}),
        "lock add": Command(permissions.add_lock, {"name": str, "repository": str, "tags": str}),
        "lock list": Command(permissions.list_locks),
        "lock remove": Command(permissions.remove_lock, {"name": str}),
        "repo delete": Command(repositories.delete, {"name": str}),
        "repo list": Command(repositories.show),
        "repo size": Command(repositories.size, {"name": str, "tag": str}),
        "repo undelete": Command(garbage.undelete_repository, {"name": str}),
        "robot add": Command(identities.add_robot, {"name": str, "grants": list, "life_ms": int}),
        "robot list": Command(identities.list_robots),
        "robot remove": Command(identities.remove_robot, {"name": str}),
        "scrub": Command(integrity.scrub, {"rate": int, "max_duration": float}),
        "setup": Command(identities.set_up, {"name": str, "password": str}, makes_root=True),
        "tag history": Command(repositories.tag_history, {"name": str, "tag": str}),
        "token add": Command(
            identities.mint_token, {"name": str, "label": str, "limits": list, "life_ms": int}
        ),
        "token list": Command(identities.list_tokens, {"name": str}),
        "token revoke": Command(identities.revoke_token, {"id": str}),
        "trust add": Command(
            permissions.add_trust,
            {"name": str, "issuer": str, "kind": str, "audience": str}
            | {"claims": list, "grants": list, "life_ms": int, "private": bool},
        ),
        "trust inspect": Command(permissions.inspect_token, {"token": str}),
        "trust list": Command(permissions.list_trusts),
        "trust remove": Command(permissions.remove_trust, {"name": str}),
        "undelete": Command(garbage.undelete, {"what": str}),
        "unlatch": Command(disk.unlatch),
        "upload cancel": Command(uploads.cancel, {"ids": list, "address": str, "every": bool}),
        "upload list": Command(uploads.show),
        "user add": Command(
            identities.add_user, {"name": str, "password": str, "owner": bool, "auditor": bool}
        ),
        "user change": Command(
            identities.change_user, {"name": str, "disabled": bool, "owner": bool, "auditor": bool}
        ),
        "user import": Command(identities.import_users, {"entries": list}),
        "user list": Command(identities.list_users),
        "user password": Command(identities.set_password, {"name": str, "password": str}),
        "user remove": Command(identities.remove_user, {"name": str}),
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
