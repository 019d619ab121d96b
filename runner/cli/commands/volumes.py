"""volume: create, ls, rm, inspect."""

import sys
from typing import Any

from runner.cli.arguments import Arguments, Parser, UsageError, assignment
from runner.cli.commands.containers import for_each_name
from runner.cli.commands.inspect import inspect
from runner.cli.output import Column, filters_json, format_list, list_options
from runner.client import DaemonClient, DaemonRefused


def _arguments(parser: Parser) -> None:
    parser.command_line("verb")


def _volume(daemon: DaemonClient, args: Arguments) -> int:
    if args.verb not in ACTIONS:
        raise UsageError(f"unknown command 'volume {args.verb}': expected create, ls, rm, inspect")
    arguments, run = ACTIONS[args.verb]
    parser = Parser(f"volume {args.verb}", "")
    arguments(parser)
    return run(daemon, parser.read(args.command))


def _create_arguments(parser: Parser) -> None:
    parser.options("--label", metavar="KEY=VALUE", help="set a label on the volume")
    parser.option("--name", metavar="NAME", help="the same as the argument")
    parser.argument("volume", nargs="?")


def _create(daemon: DaemonClient, args: Arguments) -> int:
    if args.name and args.volume:
        raise UsageError("the name was given twice")
    labels = dict(assignment(text) for text in args.label)
    volume = daemon.create_volume(args.volume or args.name or "", labels)
    sys.stdout.write(f"{volume['Name']}\n")
    return 0


def _ls(daemon: DaemonClient, args: Arguments) -> int:
    columns = [
        Column("DRIVER", lambda row: str(row["Driver"]), "Driver"),
        Column("VOLUME NAME", lambda row: str(row["Name"]), "Name"),
        Column("MOUNTPOINT", lambda row: str(row["Mountpoint"]), "Mountpoint"),
        Column("LABELS", _labels, "Labels"),
    ]
    rows = daemon.list_volumes(filters=filters_json(args.filter))
    quiet = columns[1] if args.quiet else None
    shown = ("DRIVER", "VOLUME NAME")
    sys.stdout.write(format_list(columns, rows, shown=shown, format=args.format, quiet=quiet))
    return 0


def _labels(row: dict[str, Any]) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted((row["Labels"] or {}).items()))


def _rm_arguments(parser: Parser) -> None:
    parser.flag("-f", "--force", help="ignore missing volumes")
    parser.argument("volume", nargs="+")


def _rm(daemon: DaemonClient, args: Arguments) -> int:
    def remove(name: str) -> None:
        try:
            daemon.remove_volume(name, force=args.force)
        except DaemonRefused as error:
            if not (args.force and error.status == 404):
                raise

    return for_each_name(args.volume, remove)


def _inspect_arguments(parser: Parser) -> None:
    parser.option("-f", "--format", metavar="FORMAT", help="a template: '{{.Mountpoint}}'")
    parser.argument("volume", nargs="+")


def _inspect(daemon: DaemonClient, args: Arguments) -> int:
    return inspect(daemon, args.volume, ("volume",), args.format)


ACTIONS = {
    "create": (_create_arguments, _create),
    "ls": (list_options, _ls),
    "list": (list_options, _ls),
    "rm": (_rm_arguments, _rm),
    "remove": (_rm_arguments, _rm),
    "inspect": (_inspect_arguments, _inspect),
}

COMMANDS = {"volume": (_arguments, _volume)}
