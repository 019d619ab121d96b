"""ps: list containers."""

import sys
from datetime import UTC, datetime
from typing import Any

from runner.cli.arguments import Arguments, Parser, number
from runner.cli.output import Column, filters_json, format_list, list_options
from runner.client import DaemonClient
from runner.schema.humanize import human_duration, human_size

Summary = dict[str, Any]

DEFAULT_COLUMNS = ("CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES")
_COMMAND_WIDTH = 20


def _arguments(parser: Parser) -> None:
    parser.flag("-a", "--all", help="show stopped containers too")
    parser.option(
        "-n", "--last", metavar="N", type=number, help="show the N last created, in any state"
    )
    parser.flag("-l", "--latest", help="show the last created, in any state")
    parser.flag("-s", "--size", help="show bytes written")
    list_options(parser)


def _ps(daemon: DaemonClient, args: Arguments) -> int:
    limit = 1 if args.latest else args.last
    found = daemon.list_containers(
        all="1" if args.all else None,
        limit=None if limit is None else str(limit),
        size="1" if args.size else None,
        filters=filters_json(args.filter),
    )
    columns = _columns(truncate=not args.no_trunc)
    shown = (*DEFAULT_COLUMNS, "SIZE") if args.size else DEFAULT_COLUMNS
    quiet = columns[0] if args.quiet else None
    sys.stdout.write(format_list(columns, found, shown=shown, format=args.format, quiet=quiet))
    return 0


def _columns(*, truncate: bool) -> list[Column]:
    def command(row: Summary) -> str:
        text = str(row["Command"])
        if truncate and len(text) > _COMMAND_WIDTH:
            text = text[: _COMMAND_WIDTH - 1] + "…"
        return f'"{text}"'

    def identity(row: Summary) -> str:
        return str(row["Id"])[:12] if truncate else str(row["Id"])

    return [
        Column("CONTAINER ID", identity, "ID"),
        Column("IMAGE", lambda row: str(row["Image"]), "Image"),
        Column("COMMAND", command, "Command"),
        Column("CREATED", _ago, "RunningFor"),
        Column("CREATED AT", _created_at, "CreatedAt"),
        Column("STATUS", lambda row: str(row["Status"]), "Status"),
        Column("STATE", lambda row: str(row["State"]), "State"),
        Column("PORTS", lambda row: "", "Ports"),
        Column("NAMES", _names, "Names"),
        Column("SIZE", _size, "Size"),
        Column("LABELS", _labels, "Labels"),
        Column("MOUNTS", _mounts, "Mounts"),
        Column("NETWORKS", lambda row: str(row["HostConfig"]["NetworkMode"]), "Networks"),
    ]


def _ago(row: Summary) -> str:
    return f"{human_duration(datetime.now(UTC).timestamp() - row['Created'])} ago"


def _created_at(row: Summary) -> str:
    return datetime.fromtimestamp(row["Created"], UTC).strftime("%Y-%m-%d %H:%M:%S +0000 UTC")


def _names(row: Summary) -> str:
    return ",".join(name.removeprefix("/") for name in row["Names"])


def _size(row: Summary) -> str:
    return human_size(row.get("SizeRw") or 0, 3)


def _labels(row: Summary) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted((row["Labels"] or {}).items()))


def _mounts(row: Summary) -> str:
    return ",".join(mount.get("Name") or mount["Source"] for mount in row["Mounts"] or ())


COMMANDS = {"ps": (_arguments, _ps)}
