"""run, create, attach: a container from an image, and its streams at this terminal."""

import os
import sys
from typing import Any

from runner.cli.arguments import Arguments, Parser, UsageError
from runner.cli.error_hints import error_message
from runner.cli.options import add_options, create_body
from runner.cli.streams import DETACH_KEYS, Detached, Session, parse_detach_keys
from runner.client import DaemonClient, DaemonRefused

# docker's codes: the daemon's own failure, a command that cannot run, one that is not there.
FAILED, NOT_EXECUTABLE, NOT_FOUND = 125, 126, 127

_START_FAILURES = {"command-not-found": NOT_FOUND, "command-not-executable": NOT_EXECUTABLE}


def _run_arguments(parser: Parser) -> None:
    add_options(parser)
    parser.flag("-d", "--detach", help="run in the background and print the container's ID")
    parser.flag("--sig-proxy", default=True, help="pass signals on to the process")
    _detach_keys(parser)
    parser.command_line("image")


def _create_arguments(parser: Parser) -> None:
    add_options(parser)
    parser.command_line("image")


def _attach_arguments(parser: Parser) -> None:
    parser.flag("--no-stdin", help="do not attach stdin")
    parser.flag("--sig-proxy", default=True, help="pass signals on to the process")
    _detach_keys(parser)
    parser.argument("container")


def _detach_keys(parser: Parser) -> None:
    parser.option("--detach-keys", metavar="KEYS", help="instead of ctrl-p,ctrl-q")


def _create(daemon: DaemonClient, asked: Arguments) -> int:
    sys.stdout.write(f"{_created(daemon, asked, attached=True)}\n")
    return 0


def _run(daemon: DaemonClient, asked: Arguments) -> int:
    chosen_detach_keys(asked)
    if asked.tty and asked.interactive and not asked.detach and not sys.stdin.isatty():
        raise UsageError("the input device is not a TTY: leave out -t, or add -d")
    container = _created(daemon, asked, attached=not asked.detach)
    if asked.detach:
        try:
            daemon.start_container(container)
        except DaemonRefused as error:
            return _cannot_start(error)
        sys.stdout.write(f"{container}\n")
        return 0
    return _run_attached(daemon, container, asked)


def _run_attached(daemon: DaemonClient, container: str, asked: Arguments) -> int:
    """attach, wait, start: in this order no byte of output and no exit code can be missed."""
    session = _session(daemon, container, asked, tty=asked.tty, stdin=asked.interactive)
    # With --rm the name is free again when the command returns.
    waiting = daemon.wait_container(container, "removed" if asked.rm else "next-exit")
    try:
        daemon.start_container(container)
    except DaemonRefused as error:
        if asked.rm:
            waiting.body()
        return _cannot_start(error)
    session.resize()
    try:
        session.run()
    except Detached:
        return 0
    return _exit_code(waiting.json())


def start_attached(daemon: DaemonClient, asked: Arguments) -> int:
    """``start --attach``: an old container, its streams at this terminal."""
    chosen_detach_keys(asked)
    if len(asked.container) > 1:
        raise UsageError("only one container can be started with its streams attached")
    container = daemon.inspect_container(asked.container[0])
    config = container["Config"]
    stdin = asked.interactive and bool(config["OpenStdin"])
    asked.sig_proxy, asked.rm = True, bool(container["HostConfig"]["AutoRemove"])
    asked.tty, asked.interactive = bool(config["Tty"]), stdin
    return _run_attached(daemon, str(container["Id"]), asked)


def _attach(daemon: DaemonClient, asked: Arguments) -> int:
    chosen_detach_keys(asked)
    container = daemon.inspect_container(asked.container)
    if not container["State"]["Running"]:
        text = "you cannot attach to a stopped container, start it first"
        raise DaemonRefused(409, text, "container-not-running")
    config = container["Config"]
    stdin = bool(config["OpenStdin"]) and not asked.no_stdin
    session = _session(daemon, container["Id"], asked, tty=bool(config["Tty"]), stdin=stdin)
    waiting = daemon.wait_container(container["Id"])
    session.resize()
    try:
        session.run()
    except Detached:
        return 0
    return _exit_code(waiting.json())


def _session(
    daemon: DaemonClient, container: str, asked: Arguments, *, tty: bool, stdin: bool
) -> Session:
    connection, unread = daemon.attach_container(container, stdin=stdin)

    def signal(name: str) -> None:
        try:
            daemon.kill_container(container, name)
        except DaemonRefused:
            # It ended between the signal and now.
            return

    def resize(height: int, width: int) -> None:
        try:
            daemon.resize_container(container, height, width)
        except DaemonRefused:
            return

    return Session(
        connection,
        unread,
        tty=tty,
        stdin=stdin,
        on_signal=signal if asked.sig_proxy else None,
        on_resize=resize,
        detach_keys=chosen_detach_keys(asked),
    )


def chosen_detach_keys(asked: Arguments) -> bytes:
    """The keys of ``--detach-keys``, or docker's; UsageError for others than keys.

    Called before anything is created or started too: a mistyped key must leave nothing behind.
    """
    if asked.detach_keys is None:
        return DETACH_KEYS
    try:
        return parse_detach_keys(asked.detach_keys)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _created(daemon: DaemonClient, asked: Arguments, *, attached: bool) -> str:
    """Create the container, pulling its image when asked to or when it is absent."""
    body = create_body(asked, attached=attached, environ=os.environ)
    if asked.pull == "always":
        _pull(daemon, asked)
    try:
        created = daemon.create_container(body, name=asked.name, platform=asked.platform)
    except DaemonRefused as error:
        # Nothing but its image can be missing for a container.
        if error.status != 404 or asked.pull != "missing":
            raise
        sys.stderr.write(f"Unable to find image '{asked.image}' locally\n")
        _pull(daemon, asked)
        created = daemon.create_container(body, name=asked.name, platform=asked.platform)
    for warning in created.get("Warnings") or ():
        sys.stderr.write(f"WARNING: {warning}\n")
    container = str(created["Id"])
    if asked.cidfile:
        _write_cidfile(asked.cidfile, container)
    return container


def _pull(daemon: DaemonClient, asked: Arguments) -> None:
    # Most runs pull nothing, and need neither credentials nor bars.
    from runner.cli.commands.transfer import pull_image

    pull_image(daemon, asked.image, platform=asked.platform, quiet=asked.quiet)


def _write_cidfile(path: str, container: str) -> None:
    with open(path, "x", encoding="ascii") as file:
        file.write(container)


def _cannot_start(error: DaemonRefused) -> int:
    """Say why, and answer with docker's code for it."""
    sys.stderr.write(error_message(str(error), kind=error.kind))
    return start_failure_code(error)


def start_failure_code(error: DaemonRefused) -> int:
    return _START_FAILURES.get(error.kind, FAILED)


def _exit_code(document: dict[str, Any]) -> int:
    error = document.get("Error") or {}
    if message := error.get("Message"):
        sys.stderr.write(f"Error: {message}\n")
    return int(document["StatusCode"])


VERBS = {
    "run": (_run_arguments, _run),
    "create": (_create_arguments, _create),
    "attach": (_attach_arguments, _attach),
}
