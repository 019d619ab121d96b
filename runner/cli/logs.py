"""logs: what a container has said."""

import re
import time

from runner.cli.arguments import Arguments, Parser, UsageError
from runner.cli.streams import copy_frames
from runner.client import DaemonClient

_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", re.ASCII)
_SECONDS = (86400, 3600, 60, 1)


def _arguments(parser: Parser) -> None:
    parser.flag("-f", "--follow", help="go on as it says more")
    parser.flag("-t", "--timestamps", help="when each line was said")
    parser.option("-n", "--tail", metavar="LINES", default="all", help="only the last lines")
    parser.option("--since", metavar="TIME", help="a time, or how long ago: 42m")
    parser.option("--until", metavar="TIME", help="a time, or how long ago: 42m")
    parser.argument("container")


def _logs(daemon: DaemonClient, asked: Arguments) -> int:
    if asked.tail != "all" and not asked.tail.removeprefix("-").isdigit():
        raise UsageError(f"--tail: invalid {asked.tail!r}: expected a number or all")
    container = daemon.inspect_container(asked.container)
    answer = daemon.container_logs(
        container["Id"],
        stdout="1",
        stderr="1",
        follow="1" if asked.follow else None,
        timestamps="1" if asked.timestamps else None,
        tail=asked.tail,
        since=moment(asked.since),
        until=moment(asked.until),
    )
    copy_frames(answer.chunks(), tty=bool(container["Config"]["Tty"]))
    return 0


def moment(text: str | None) -> str | None:
    """``10m`` and ``1h30m`` count back from now; anything else is the daemon's to read."""
    match = _DURATION.fullmatch(text or "")
    if not text or match is None:
        return text
    ago = sum(int(part) * unit for part, unit in zip(match.groups("0"), _SECONDS, strict=True))
    return f"{time.time() - ago:.9f}"


VERBS = {"logs": (_arguments, _logs)}
