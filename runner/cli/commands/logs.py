"""logs: print a container's output."""

import time

from runner.cli.arguments import Arguments, Parser, UsageError
from runner.cli.streams import copy_frames
from runner.client import DaemonClient


def _arguments(parser: Parser) -> None:
    parser.flag("-f", "--follow", help="follow the output")
    parser.flag("-t", "--timestamps", help="show timestamps")
    parser.option(
        "-n", "--tail", metavar="LINES", default="all", help="number of lines from the end"
    )
    parser.option("--since", metavar="TIME", help="a time, or a duration before now: 42m")
    parser.option("--until", metavar="TIME", help="a time, or a duration before now: 42m")
    parser.argument("container")


def _logs(daemon: DaemonClient, args: Arguments) -> int:
    if args.tail != "all" and not args.tail.removeprefix("-").isdigit():
        raise UsageError(f"--tail: invalid {args.tail!r}: expected a number or all")
    container = daemon.inspect_container(args.container)
    answer = daemon.container_logs(
        container["Id"],
        stdout="1",
        stderr="1",
        follow="1" if args.follow else None,
        timestamps="1" if args.timestamps else None,
        tail=args.tail,
        since=resolve_duration(args.since),
        until=resolve_duration(args.until),
    )
    copy_frames(answer.chunks(), tty=bool(container["Config"]["Tty"]))
    return 0


def resolve_duration(text: str | None) -> str | None:
    """Convert ``10m`` or ``1.5h`` before now to a time; leave other text for the daemon to parse.

    The result is in seconds since the epoch, with nine digits.
    """
    if not text:
        return text
    # `logs` without a time starts faster without it.
    from runner.schema.times import parse_duration

    seconds = parse_duration(text)
    return text if seconds is None else f"{time.time() - seconds:.9f}"


COMMANDS = {"logs": (_arguments, _logs)}
