"""inspect: show containers, images and volumes as JSON."""

import json
import sys
from collections.abc import Callable
from typing import Any

from runner.cli.arguments import Arguments, Parser
from runner.cli.error_hints import error_message
from runner.cli.template import Template
from runner.client import DaemonClient, DaemonRefused

KINDS: dict[str, Callable[[DaemonClient, str], dict[str, Any]]] = {
    "container": lambda daemon, name: daemon.inspect_container(name),
    "image": lambda daemon, name: daemon.inspect_image(name),
    "volume": lambda daemon, name: daemon.inspect_volume(name),
}


def _arguments(parser: Parser) -> None:
    parser.option("-f", "--format", metavar="FORMAT", help="json, or a template: '{{.State.Pid}}'")
    parser.option("--type", choices=tuple(KINDS), help="inspect only objects of this type")
    parser.argument("name", nargs="+")


def _inspect(daemon: DaemonClient, args: Arguments) -> int:
    kinds = (args.type,) if args.type else tuple(KINDS)
    return inspect(daemon, args.name, kinds, args.format)


def inspect(
    daemon: DaemonClient, names: list[str], kinds: tuple[str, ...], format: str | None
) -> int:
    """Print the document of every name, and an error for each missing one."""
    template = Template.parse(format) if format not in (None, "", "json") else None
    found, missing = [], []
    for name in names:
        document = _find(daemon, name, kinds)
        if document is None:
            missing.append(name)
        else:
            found.append(document)
    if template is not None:
        sys.stdout.write("".join(f"{template.render(document)}\n" for document in found))
    elif format == "json":
        sys.stdout.write(json.dumps(found, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(json.dumps(found, indent=4, ensure_ascii=False) + "\n")
    sys.stdout.flush()
    what = kinds[0] if len(kinds) == 1 else "object"
    sys.stderr.write(
        "".join(error_message(f"no such {what}: {name}", kind=f"{what}-absent") for name in missing)
    )
    return 1 if missing else 0


def _find(daemon: DaemonClient, name: str, kinds: tuple[str, ...]) -> dict[str, Any] | None:
    for kind in kinds:
        try:
            return KINDS[kind](daemon, name)
        except DaemonRefused as error:
            # A name invalid for this kind may be valid for the next.
            if error.status not in (400, 404):
                raise
    return None


COMMANDS = {"inspect": (_arguments, _inspect)}
