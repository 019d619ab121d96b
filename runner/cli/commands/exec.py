"""exec: another command in a running container."""

import os
import sys

from runner.cli.arguments import Arguments, Parser, UsageError
from runner.cli.commands.run import chosen_detach_keys, start_failure_code
from runner.cli.options import environment
from runner.cli.streams import Detached, Session
from runner.client import DaemonClient, DaemonRefused


def _arguments(parser: Parser) -> None:
    parser.flag("-d", "--detach", help="run in the background")
    parser.flag("-i", "--interactive", help="keep stdin open")
    parser.flag("-t", "--tty", help="give the command a terminal")
    parser.options("-e", "--env", metavar="KEY[=VALUE]", help="set an environment variable")
    parser.options("--env-file", metavar="FILE", help="read environment variables from a file")
    parser.option("-w", "--workdir", metavar="DIR", default="", help="the working directory")
    parser.option("-u", "--user", metavar="NAME|UID[:GROUP|GID]", default="", help="the user")
    parser.option("--detach-keys", metavar="KEYS", help="instead of ctrl-p,ctrl-q")
    parser.command_line("container")


def _exec(daemon: DaemonClient, asked: Arguments) -> int:
    if not asked.command:
        raise UsageError("expected a container and a command")
    if asked.tty and asked.interactive and not asked.detach and not sys.stdin.isatty():
        raise UsageError("the input device is not a TTY: leave out -t")
    chosen_detach_keys(asked)
    attached = not asked.detach
    body = {
        "Cmd": asked.command,
        "Env": environment(asked.env, asked.env_file, os.environ),
        "WorkingDir": asked.workdir,
        "User": asked.user,
        "Tty": asked.tty,
        "AttachStdin": asked.interactive and attached,
        "AttachStdout": attached,
        "AttachStderr": attached,
    }
    exec_id = daemon.create_exec(asked.container, body)
    try:
        if asked.detach:
            daemon.start_exec_detached(exec_id)
            return 0
        return _attached(daemon, exec_id, asked)
    except DaemonRefused as error:
        sys.stderr.write(f"Error: {' '.join(str(error).split())}\n")
        return start_failure_code(error)


def _attached(daemon: DaemonClient, exec_id: str, asked: Arguments) -> int:
    start = {"Detach": False, "Tty": asked.tty}
    connection, unread = daemon.start_exec(exec_id, start)
    session = Session(
        connection,
        unread,
        tty=asked.tty,
        stdin=asked.interactive,
        # docker's exec passes no signals on, and scripts that are interrupted count on it.
        on_signal=None,
        on_resize=lambda height, width: daemon.resize_exec(exec_id, height, width),
        detach_keys=chosen_detach_keys(asked),
    )
    session.resize()
    try:
        session.run()
    except Detached:
        return 0
    code = daemon.inspect_exec(exec_id)["ExitCode"]
    return int(code) if code is not None else 0


VERBS = {"exec": (_arguments, _exec)}
