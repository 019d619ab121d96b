"""The command tree, global options, exit codes."""

import os
import sys
from importlib import import_module
from typing import NoReturn

from runner.cli.arguments import Parser, UsageError
from runner.client import DaemonClient, DaemonRefused, DaemonUnreachable
from runner.client.daemon import DEFAULT_SOCKET

# verb → module, and what `runner --help` says of it.  A module is imported when its verb is used.
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

# docker's longer names for the same verbs.
GROUPS = {
    "container": {"ls": "ps", "list": "ps"},
    "image": {"ls": "images", "list": "images", "rm": "rmi", "inspect": "inspect"},
    "system": {},
}

REFUSED, USAGE, INTERRUPTED = 1, 2, 130


def main(argv: list[str] | None = None) -> int:
    """Run one command; the result is its exit code."""
    words = sys.argv[1:] if argv is None else argv
    verb = ""
    try:
        socket, words = _globals(words)
        verb, words = _verb(words)
        if not verb:
            return 0
        return _run(verb, words, socket)
    except UsageError as error:
        see = f"runner {verb} --help" if verb else "runner --help"
        return _fail(str(error), f"See '{see}'.", USAGE)
    except DaemonRefused as error:
        # `run` promises 125 for its own failures: 1 could be the container's.
        code = 125 if verb == "run" else REFUSED
        return _fail(str(error), _hint(error, verb), code)
    except DaemonUnreachable as error:
        return _fail(str(error), "", 125 if verb == "run" else REFUSED)
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted\n")
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has had enough.  Python would complain once more at the exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return REFUSED
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _fail(f"{where}{error.strerror or error}", "", REFUSED)


def _run(verb: str, words: list[str], socket: str) -> int:
    if verb == "daemon":
        # Another program than the command, with other imports: no module of it is loaded here.
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, "-m", "runner.daemon", *words])  # noqa: S606
    module, summary = COMMANDS[verb]
    arguments, run = import_module(f"runner.cli.{module}").VERBS[verb]
    parser = Parser(verb, summary)
    arguments(parser)
    parsed = parser.read(words)
    code: int = run(DaemonClient(socket), parsed)
    sys.stdout.flush()
    return code


def _globals(words: list[str]) -> tuple[str, list[str]]:
    """The options before the verb, and the words from the verb on."""
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


def _verb(words: list[str]) -> tuple[str, list[str]]:
    """The verb and its own words; "" when the answer has been given here."""
    if not words or words[0] in ("--help", "help"):
        if words[1:] and words[1] in COMMANDS:
            return words[1], ["--help"]
        _help()
        return "", []
    if words[0] == "--version":
        from importlib.metadata import version

        sys.stdout.write(f"runner version {version('slipway')}\n")
        return "", []
    verb, rest = words[0], words[1:]
    if verb in GROUPS and rest:
        verb, rest = GROUPS[verb].get(rest[0], rest[0]), rest[1:]
    if verb not in COMMANDS:
        raise UsageError(f"unknown command {verb!r}")
    return verb, rest


def _help() -> None:
    lines = [
        "Usage: runner [--socket PATH] COMMAND",
        "",
        "Pulls images and runs them as isolated containers.",
        "",
        "Commands:",
        *(f"  {verb:<10}  {summary}" for verb, (_, summary) in COMMANDS.items()),
        "",
        f"Options:\n  --socket PATH  The daemon's socket (RUNNER_SOCKET, {DEFAULT_SOCKET})",
        "  --version      Show the version and exit",
        "",
        "Run 'runner COMMAND --help' for more on a command.",
    ]
    sys.stdout.write("\n".join(lines) + "\n")


# What to try next, by the words of the refusal.
HINTS = (
    ("no such container", "Try 'runner ps --all'."),
    ("no such image", "Try 'runner images', or 'runner pull' it first."),
    ("no such volume", "Try 'runner volume ls'."),
    ("already in use by container", "Try 'runner rm' on the other one, or another --name."),
    ("you cannot remove a running container", "Try 'runner stop' first, or 'runner rm --force'."),
    ("unauthorized", "Try 'runner login' with the registry's name."),
    ("authentication required", "Try 'runner login' with the registry's name."),
    ("all connection attempts failed", "Is the registry running, and is its address right?"),
    ("connection refused", "Is the registry running, and is its address right?"),
)


def _hint(error: DaemonRefused, verb: str) -> str:
    message = str(error).lower()
    return next((hint for words, hint in HINTS if words in message), "")


def _fail(message: str, hint: str, code: int) -> int:
    """One line with what is wrong, and if we know it one with what to try."""
    sys.stdout.flush()
    lines = f"Error: {lowered(' '.join(message.split()))}\n" + (f"{hint}\n" if hint else "")
    sys.stderr.write(lines)
    return code


def lowered(message: str) -> str:
    """A sentence that goes on after a colon begins small; a name in capitals stays."""
    if message[:1].isupper() and message[1:2].islower():
        return message[0].lower() + message[1:]
    return message


def entry() -> NoReturn:
    """``python -m runner``."""
    sys.exit(main())
