"""events, info, version."""

import json
import sys
from datetime import UTC, datetime
from typing import Any

from runner.cli.arguments import Arguments, Parser
from runner.cli.commands.logs import resolve_duration
from runner.cli.output import filters_json
from runner.cli.template import Template
from runner.client import DaemonClient, DaemonUnreachable
from runner.schema.humanize import human_memory


def _format(parser: Parser) -> None:
    parser.option("-f", "--format", metavar="FORMAT", help="json, or a template")


def _events_arguments(parser: Parser) -> None:
    parser.option("--since", metavar="TIME", help="a time, or a duration before now: 42m")
    parser.option("--until", metavar="TIME", help="a time to stop at")
    parser.options("-f", "--filter", metavar="KEY=VALUE", help="filter the output")
    parser.option("--format", metavar="FORMAT", help="json, or a template")


def _events(daemon: DaemonClient, args: Arguments) -> int:
    template = Template.parse(args.format) if args.format not in (None, "json") else None
    items = daemon.events(
        since=resolve_duration(args.since),
        until=resolve_duration(args.until),
        filters=filters_json(args.filter),
    )
    for item in items:
        if template is not None:
            line = template.render(item)
        else:
            line = json.dumps(item) if args.format == "json" else _event_line(item)
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    return 0


def _event_line(item: dict[str, Any]) -> str:
    """``2026-11-21T09:00:00.000000000Z container start <id> (image=…, name=…)``."""
    nanoseconds = int(item["timeNano"])
    when = datetime.fromtimestamp(nanoseconds // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    actor = item["Actor"]
    attributes = ", ".join(f"{key}={value}" for key, value in sorted(actor["Attributes"].items()))
    stamp = f"{when}.{nanoseconds % 10**9:09d}Z"
    return f"{stamp} {item['Type']} {item['Action']} {actor['ID']} ({attributes})"


INFO = (
    ("Server Version", "ServerVersion"),
    ("Containers", "Containers"),
    (" Running", "ContainersRunning"),
    (" Paused", "ContainersPaused"),
    (" Stopped", "ContainersStopped"),
    ("Images", "Images"),
    ("Storage Driver", "Driver"),
    ("Logging Driver", "LoggingDriver"),
    ("Cgroup Version", "CgroupVersion"),
    ("Default Runtime", "DefaultRuntime"),
    ("Default Registry", "IndexServerAddress"),
    ("Kernel Version", "KernelVersion"),
    ("Operating System", "OperatingSystem"),
    ("Architecture", "Architecture"),
    ("CPUs", "NCPU"),
    ("Name", "Name"),
    ("Root Dir", "DockerRootDir"),
    ("Daemon PID", "DaemonPID"),
)


def _info(daemon: DaemonClient, args: Arguments) -> int:
    document = daemon.info()
    if args.format:
        sys.stdout.write(_formatted(document, args.format))
        return 0
    # Another daemon, such as docker's, may omit some fields.
    lines = [f"{title}: {document[key]}\n" for title, key in INFO if key in document]
    lines.append(f"Total Memory: {human_memory(document['MemTotal'])}\n")
    sys.stdout.write("".join(lines))
    for warning in document.get("Warnings") or ():
        sys.stderr.write(f"WARNING: {warning}\n")
    return 0


def _version(daemon: DaemonClient, args: Arguments) -> int:
    from importlib.metadata import version

    document: dict[str, Any] = {"Client": {"Version": version("slipway"), "ApiVersion": "1.44"}}
    try:
        document["Server"] = daemon.version()
    except DaemonUnreachable:
        if not args.format:
            sys.stdout.write(_version_text("Client", document["Client"]))
        raise
    if args.format:
        sys.stdout.write(_formatted(document, args.format))
    else:
        sys.stdout.write("".join(_version_text(side, of) for side, of in document.items()))
    return 0


def _version_text(side: str, document: dict[str, Any]) -> str:
    lines = [f"{side}:\n"]
    for title, key in (("Version", "Version"), ("API version", "ApiVersion"), ("OS", "Os")):
        if key in document:
            lines.append(f" {title + ':':<14}{document[key]}\n")
    return "".join(lines)


def _formatted(document: dict[str, Any], format: str) -> str:
    if format == "json":
        return json.dumps(document) + "\n"
    return f"{Template.parse(format).render(document)}\n"


COMMANDS = {
    "events": (_events_arguments, _events),
    "info": (_format, _info),
    "version": (_format, _version),
}
