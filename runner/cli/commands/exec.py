"""exec: run a command in a running container."""

import os
import sys

from runner.cli.arguments import Arguments, Parser, UsageError
from runner.cli.commands.run import read_detach_keys, start_failure_code
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
    parser.option("--detach-keys", metavar="KEYS", help="keys to detach (default ctrl-p,ctrl-q)")
    parser.command_line("container")


def _exec(daemon: DaemonClient, args: Arguments) -> int:
    if not args.command:
        raise UsageError("expected a container and a command")
    if args.tty and args.interactive and not args.detach and not sys.stdin.isatty():
        raise UsageError("the input device is not a TTY: leave out -t")
    read_detach_keys(args)
    attached = not args.detach
    body = {
        "Cmd": args.command,
        "Env": environment(args.env, args.env_file, os.environ),
        "WorkingDir": args.workdir,
        "User": args.user,
        "Tty": args.tty,
        "AttachStdin": args.interactive and attached,
        "AttachStdout": attached,
        "AttachStderr": attached,
    }
    exec_id = daemon.create_exec(args.container, body)
    try:
        if args.detach:
            daemon.start_exec_detached(exec_id)
            return 0
        return _attached(daemon, exec_id, args)
    except DaemonRefused as error:
        sys.stderr.write(f"Error: {' '.join(str(error).split())}\n")
        return start_failure_code(error)


def _attached(daemon: DaemonClient, exec_id: str, args: Arguments) -> int:
    start = {"Detach": False, "Tty": args.tty}
    connection, unread = daemon.start_exec(exec_id, start)
    session = Session(
        connection,
        unread,
        tty=args.tty,
        stdin=args.interactive,
        # As docker: exec forwards no signals, and scripts rely on it when interrupted.
        on_signal=None,
        on_resize=lambda height, width: daemon.resize_exec(exec_id, height, width),
        detach_keys=read_detach_keys(args),
    )
    session.resize()
    try:
        session.run()
    except Detached:
        return 0
    code = daemon.inspect_exec(exec_id)["ExitCode"]
    return int(code) if code is not None else 0


COMMANDS = {"exec": (_arguments, _exec)}
