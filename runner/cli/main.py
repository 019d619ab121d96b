"""The command tree, global options, exit codes."""

import os
import sys
from importlib import import_module
from typing import NoReturn

from runner.cli.arguments import Parser, UsageError
from runner.cli.error_hints import error_message
from runner.client import DaemonClient, DaemonRefused, DaemonUnreachable
from runner.client.daemon import DEFAULT_SOCKET

# Command → module, and its summary in `runner --help`.  Modules are imported on use.
COMMANDS = {
    "run": ("run", "Create and run a new container from an image"),
    "exec": ("exec", "Run a command in a running container"),
    "ps": ("ps", "List containers"),
    "pull": ("transfer", "Download an image from a registry"),
    "push": ("transfer", "Upload an image to a registry"),
    "images": ("images", "List images"),
    "login": ("login", "Log in to a registry"),
    "logout": ("login", "Log out from a registry"),
    "create": ("run", "Create a new container"),
    "start": ("containers", "Start one or more stopped containers"),
    "stop": ("containers", "Stop one or more running containers"),
    "restart": ("containers", "Restart one or more containers"),
    "kill": ("containers", "Kill one or more running containers"),
    "pause": ("containers", "Pause all processes within one or more containers"),
    "unpause": ("containers", "Unpause all processes within one or more containers"),
    "wait": ("containers", "Block until one or more containers stop, then print their exit codes"),
    "rename": ("containers", "Rename a container"),
    "rm": ("containers", "Remove one or more containers"),
    "attach": ("run", "Attach the terminal's streams to a running container"),
    "logs": ("logs", "Fetch the logs of a container"),
    "top": ("containers", "Display the running processes of a container"),
    "inspect": ("inspect", "Return low-level information on containers, images and volumes"),
    "tag": ("images", "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE"),
    "rmi": ("images", "Remove one or more images"),
    "history": ("images", "Show the history of an image"),
    "import": ("transfer", "Import the contents from a tarball to create a filesystem image"),
    "save": ("transfer", "Save one or more images to a tar archive"),
    "load": ("transfer", "Load images from a tar archive"),
    "volume": ("volumes", "Manage volumes: create, ls, rm, inspect"),
    "events": ("system", "Get real time events from the daemon"),
    "info": ("system", "Display system-wide information"),
    "version": ("system", "Show the version of the command and of the daemon"),
    "daemon": ("", "Run the daemon"),
}

# docker's management commands, as aliases.
GROUPS = {
    "container": {"ls": "ps", "list": "ps"},
    "image": {"ls": "images", "list": "images", "rm": "rmi", "inspect": "inspect"},
    "system": {},
}

REFUSED, USAGE, FAILED_RUN, INTERRUPTED = 1, 2, 125, 130


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    words = sys.argv[1:] if argv is None else argv
    command = ""
    try:
        socket, words = _parse_global_options(words)
        command, words = _parse_command(words)
        if not command:
            return 0
        return _run(command, words, socket)
    except UsageError as error:
        see = f"runner {command} --help" if command else "runner --help"
        return _fail(str(error), USAGE, hint=f"See '{see}'.")
    except DaemonRefused as error:
        return _fail(str(error), _failure_code(command), command=command, kind=error.kind)
    except DaemonUnreachable as error:
        return _fail(str(error), _failure_code(command))
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted\n")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader closed the pipe; avoid Python's second error at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return REFUSED
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _fail(f"{where}{error.strerror or error}", _failure_code(command))
    except _credential_errors() as error:
        return _fail(str(error), _failure_code(command))


def _credential_errors() -> tuple[type[Exception], ...]:
    """Evaluated only on an error, so that most commands never import them."""
    from runner.credentials import CredentialsInvalid

    return (CredentialsInvalid,)


def _failure_code(command: str) -> int:
    """125 for ``run``, as docker: 1 could be the container's own exit code."""
    return FAILED_RUN if command == "run" else REFUSED


def _run(command: str, words: list[str], socket: str) -> int:
    if command == "daemon":
        # The daemon is a separate program; import none of its modules here.
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, "-m", "runner.daemon", *words])  # noqa: S606
    module, summary = COMMANDS[command]
    arguments, run = import_module(f"runner.cli.commands.{module}").COMMANDS[command]
    parser = Parser(command, summary)
    arguments(parser)
    parsed = parser.read(words)
    code: int = run(DaemonClient(socket), parsed)
    sys.stdout.flush()
    return code


def _parse_global_options(words: list[str]) -> tuple[str, list[str]]:
    """Split off the global options; returns the socket and the remaining arguments."""
    socket = os.environ.get("RUNNER_SOCKET") or DEFAULT_SOCKET
    words = list(words)
    while words and words[0].startswith("-"):
        word = words.pop(0)
        if word in ("--help", "-h"):
            return socket, ["--help"]
        if word in ("--version", "-v"):
            return socket, ["--version"]
        if word in ("--socket", "-H", "--host"):
            if not words:
                raise UsageError(f"{word}: expected a path")
            word = f"--socket={words.pop(0)}"
        if not word.startswith(("--socket=", "--host=")):
            raise UsageError(f"unknown option {word}")
        socket = word.partition("=")[2].removeprefix("unix://")
        if not socket.startswith("/"):
            socket = os.path.abspath(socket)
    return socket, words


def _parse_command(words: list[str]) -> tuple[str, list[str]]:
    """The command and its arguments; "" if help or the version has been printed."""
    if not words or words[0] in ("--help", "help"):
        if words[1:] and words[1] in COMMANDS:
            return words[1], ["--help"]
        _print_help()
        return "", []
    if words[0] == "--version":
        from importlib.metadata import version

        sys.stdout.write(f"runner version {version('slipway')}\n")
        return "", []
    command, rest = words[0], words[1:]
    if command in GROUPS and rest:
        command, rest = GROUPS[command].get(rest[0], rest[0]), rest[1:]
    if command not in COMMANDS:
        raise UsageError(f"unknown command {command!r}")
    return command, rest


def _print_help() -> None:
    lines = [
        "Usage: runner [--socket PATH] COMMAND",
        "",
        "Pulls images and runs them as isolated containers.",
        "",
        "Commands:",
        *(f"  {command:<10}  {summary}" for command, (_, summary) in COMMANDS.items()),
        "",
        f"Options:\n  --socket PATH  The daemon's socket (RUNNER_SOCKET, {DEFAULT_SOCKET})",
        "  --version      Show the version and exit",
        "",
        "Run 'runner COMMAND --help' for more on a command.",
    ]
    sys.stdout.write("\n".join(lines) + "\n")


def _fail(
    message: str, code: int, *, hint: str | None = None, command: str = "", kind: str = ""
) -> int:
    sys.stdout.flush()
    sys.stderr.write(error_message(message, command, kind=kind, hint=hint))
    return code


def entry() -> NoReturn:
    """``python -m runner``."""
    sys.exit(main())
