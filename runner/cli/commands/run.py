"""run, create, attach: make a container from an image, and connect its streams to the terminal."""

import os
import sys
from typing import Any

from runner.cli.arguments import Arguments, Parser, UsageError
from runner.cli.error_hints import error_message
from runner.cli.options import add_options, create_body
from runner.cli.streams import DETACH_KEYS, Detached, Session, parse_detach_keys
from runner.client import DaemonClient, DaemonRefused

# docker's exit codes: a failure of the daemon, a command not executable, one not found.
FAILED, NOT_EXECUTABLE, NOT_FOUND = 125, 126, 127

# Values of runner.errors.Kind, whose import would slow every command.
_CONTAINER_NOT_RUNNING, _IMAGE_ABSENT = "container-not-running", "image-absent"
_START_FAILURES = {"command-not-found": NOT_FOUND, "command-not-executable": NOT_EXECUTABLE}


def _run_arguments(parser: Parser) -> None:
    add_options(parser)
    parser.flag("-d", "--detach", help="run in the background and print the container ID")
    parser.flag("--sig-proxy", default=True, help="forward signals to the process")
    _detach_keys(parser)
    parser.command_line("image")


def _create_arguments(parser: Parser) -> None:
    add_options(parser)
    parser.command_line("image")


def _attach_arguments(parser: Parser) -> None:
    parser.flag("--no-stdin", help="do not attach stdin")
    parser.flag("--sig-proxy", default=True, help="forward signals to the process")
    _detach_keys(parser)
    parser.argument("container")


def _detach_keys(parser: Parser) -> None:
    parser.option("--detach-keys", metavar="KEYS", help="keys to detach (default ctrl-p,ctrl-q)")


def _create(daemon: DaemonClient, args: Arguments) -> int:
    sys.stdout.write(f"{_create_container(daemon, args, attached=True)}\n")
    return 0


def _run(daemon: DaemonClient, args: Arguments) -> int:
    read_detach_keys(args)
    if args.tty and args.interactive and not args.detach and not sys.stdin.isatty():
        raise UsageError("the input device is not a TTY: leave out -t, or add -d")
    container = _create_container(daemon, args, attached=not args.detach)
    if args.detach:
        try:
            daemon.start_container(container)
        except DaemonRefused as error:
            return _report_start_failure(error)
        sys.stdout.write(f"{container}\n")
        return 0
    return _run_attached(daemon, container, args)


def _run_attached(daemon: DaemonClient, container: str, args: Arguments) -> int:
    """Attach, wait, then start: in this order no output and no exit code is missed."""
    session = _session(daemon, container, args, tty=args.tty, stdin=args.interactive)
    # With --rm, return only when the name is free again.
    waiting = daemon.wait_container(container, "removed" if args.rm else "next-exit")
    try:
        daemon.start_container(container)
    except DaemonRefused as error:
        if args.rm:
            waiting.body()
        return _report_start_failure(error)
    session.resize()
    try:
        session.run()
    except Detached:
        return 0
    return _exit_code(waiting.json())


def start_attached(daemon: DaemonClient, args: Arguments) -> int:
    """``start --attach``: start an existing container with its streams attached."""
    read_detach_keys(args)
    if len(args.container) > 1:
        raise UsageError("only one container can be started with its streams attached")
    container = daemon.inspect_container(args.container[0])
    config = container["Config"]
    stdin = args.interactive and bool(config["OpenStdin"])
    args.sig_proxy, args.rm = True, bool(container["HostConfig"]["AutoRemove"])
    args.tty, args.interactive = bool(config["Tty"]), stdin
    return _run_attached(daemon, str(container["Id"]), args)


def _attach(daemon: DaemonClient, args: Arguments) -> int:
    read_detach_keys(args)
    container = daemon.inspect_container(args.container)
    if not container["State"]["Running"]:
        text = "you cannot attach to a stopped container, start it first"
        raise DaemonRefused(409, text, _CONTAINER_NOT_RUNNING)
    config = container["Config"]
    stdin = bool(config["OpenStdin"]) and not args.no_stdin
    session = _session(daemon, container["Id"], args, tty=bool(config["Tty"]), stdin=stdin)
    waiting = daemon.wait_container(container["Id"])
    session.resize()
    try:
        session.run()
    except Detached:
        return 0
    return _exit_code(waiting.json())


def _session(
    daemon: DaemonClient, container: str, args: Arguments, *, tty: bool, stdin: bool
) -> Session:
    connection, unread = daemon.attach_container(container, stdin=stdin)

    def signal(name: str) -> None:
        try:
            daemon.kill_container(container, name)
        except DaemonRefused:
            # It has exited since.
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
        on_signal=signal if args.sig_proxy else None,
        on_resize=resize,
        detach_keys=read_detach_keys(args),
    )


def read_detach_keys(args: Arguments) -> bytes:
    """The keys of ``--detach-keys``, or docker's; UsageError for an invalid one.

    Called before a container is created or started, so that a mistyped key leaves none behind.
    """
    if args.detach_keys is None:
        return DETACH_KEYS
    try:
        return parse_detach_keys(args.detach_keys)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _create_container(daemon: DaemonClient, args: Arguments, *, attached: bool) -> str:
    """Create the container; pull its image first if requested, or if it is missing."""
    body = create_body(args, attached=attached, environ=os.environ)
    if args.pull == "always":
        _pull(daemon, args)
    try:
        created = daemon.create_container(body, name=args.name, platform=args.platform)
    except DaemonRefused as error:
        if error.kind != _IMAGE_ABSENT or args.pull != "missing":
            raise
        sys.stderr.write(f"Unable to find image '{args.image}' locally\n")
        _pull(daemon, args)
        created = daemon.create_container(body, name=args.name, platform=args.platform)
    for warning in created.get("Warnings") or ():
        sys.stderr.write(f"WARNING: {warning}\n")
    container = str(created["Id"])
    if args.cidfile:
        _write_cidfile(args.cidfile, container)
    return container


def _pull(daemon: DaemonClient, args: Arguments) -> None:
    # Imported late: most runs pull nothing.
    from runner.cli.commands.transfer import pull_image

    pull_image(daemon, args.image, platform=args.platform, quiet=args.quiet)


def _write_cidfile(path: str, container: str) -> None:
    with open(path, "x", encoding="ascii") as file:
        file.write(container)


def _report_start_failure(error: DaemonRefused) -> int:
    """Print the error; returns docker's exit code for it."""
    sys.stderr.write(error_message(str(error), kind=error.kind))
    return start_failure_code(error)


def start_failure_code(error: DaemonRefused) -> int:
    return _START_FAILURES.get(error.kind, FAILED)


def _exit_code(document: dict[str, Any]) -> int:
    error = document.get("Error") or {}
    if message := error.get("Message"):
        sys.stderr.write(f"Error: {message}\n")
    return int(document["StatusCode"])


COMMANDS = {
    "run": (_run_arguments, _run),
    "create": (_create_arguments, _create),
    "attach": (_attach_arguments, _attach),
}
