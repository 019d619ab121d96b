"""start, stop, restart, kill, pause, unpause, wait, rename, rm, top."""

import sys
from collections.abc import Callable, Iterable

from runner.cli.arguments import Arguments, Parser, number
from runner.cli.error_hints import error_message
from runner.cli.output import Column, table
from runner.client import DaemonClient, DaemonRefused


def for_each_name(names: Iterable[str], call: Callable[[str], str | None]) -> int:
    """Call ``call`` for every name; print the names that succeeded and the errors of the others."""
    code = 0
    for name in names:
        try:
            answer = call(name)
        except DaemonRefused as error:
            sys.stdout.flush()
            sys.stderr.write(error_message(str(error), kind=error.kind))
            code = 1
        else:
            sys.stdout.write(f"{name if answer is None else answer}\n")
            sys.stdout.flush()
    return code


def _names(parser: Parser) -> None:
    parser.argument("container", nargs="+")


def _start_arguments(parser: Parser) -> None:
    parser.flag(
        "-a", "--attach", help="attach stdout and stderr, forward signals, exit with its code"
    )
    parser.flag("-i", "--interactive", help="attach stdin")
    parser.option("--detach-keys", metavar="KEYS", help="keys to detach (default ctrl-p,ctrl-q)")
    _names(parser)


def _start(daemon: DaemonClient, args: Arguments) -> int:
    if args.attach or args.interactive:
        from runner.cli.commands.run import start_attached

        return start_attached(daemon, args)
    return for_each_name(args.container, daemon.start_container)


def _stop_arguments(parser: Parser) -> None:
    parser.option(
        "-t", "--timeout", "--time", metavar="SECONDS", type=number, help="wait before SIGKILL"
    )
    parser.option("-s", "--signal", metavar="SIGNAL", help="signal to send")
    _names(parser)


def _stop(daemon: DaemonClient, args: Arguments) -> int:
    timeout = None if args.timeout is None else str(args.timeout)
    return for_each_name(
        args.container, lambda name: daemon.stop_container(name, t=timeout, signal=args.signal)
    )


def _restart(daemon: DaemonClient, args: Arguments) -> int:
    timeout = None if args.timeout is None else str(args.timeout)
    return for_each_name(
        args.container, lambda name: daemon.restart_container(name, t=timeout, signal=args.signal)
    )


def _kill_arguments(parser: Parser) -> None:
    parser.option(
        "-s", "--signal", metavar="SIGNAL", default="KILL", help="signal to send (default KILL)"
    )
    _names(parser)


def _kill(daemon: DaemonClient, args: Arguments) -> int:
    return for_each_name(args.container, lambda name: daemon.kill_container(name, args.signal))


def _pause(daemon: DaemonClient, args: Arguments) -> int:
    return for_each_name(args.container, daemon.pause_container)


def _unpause(daemon: DaemonClient, args: Arguments) -> int:
    return for_each_name(args.container, daemon.unpause_container)


def _wait(daemon: DaemonClient, args: Arguments) -> int:
    return for_each_name(
        args.container, lambda name: str(daemon.wait_container(name).json()["StatusCode"])
    )


def _rename_arguments(parser: Parser) -> None:
    parser.argument("container")
    parser.argument("new_name")


def _rename(daemon: DaemonClient, args: Arguments) -> int:
    daemon.rename_container(args.container, args.new_name)
    return 0


def _rm_arguments(parser: Parser) -> None:
    parser.flag("-f", "--force", help="kill it if running; ignore missing containers")
    parser.flag("-v", "--volumes", help="remove its anonymous volumes too")
    _names(parser)


def _rm(daemon: DaemonClient, args: Arguments) -> int:
    def remove(name: str) -> None:
        try:
            daemon.remove_container(name, force=args.force, volumes=args.volumes)
        except DaemonRefused as error:
            if not (args.force and error.status == 404):
                raise

    return for_each_name(args.container, remove)


def _top_arguments(parser: Parser) -> None:
    parser.command_line("container")


def _top(daemon: DaemonClient, args: Arguments) -> int:
    document = daemon.container_top(args.container, " ".join(args.command))
    columns = [Column(title, _cell(index)) for index, title in enumerate(document["Titles"])]
    sys.stdout.write(table(columns, document["Processes"] or []))
    return 0


def _cell(index: int) -> Callable[[list[str]], str]:
    return lambda row: str(row[index])


COMMANDS = {
    "start": (_start_arguments, _start),
    "stop": (_stop_arguments, _stop),
    "restart": (_stop_arguments, _restart),
    "kill": (_kill_arguments, _kill),
    "pause": (_names, _pause),
    "unpause": (_names, _unpause),
    "wait": (_names, _wait),
    "rename": (_rename_arguments, _rename),
    "rm": (_rm_arguments, _rm),
    "top": (_top_arguments, _top),
}
