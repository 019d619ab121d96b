"""A daemon of commands under test: each method answers what the test says, or refuses."""

from collections.abc import Callable, Mapping
from typing import Any, cast

from runner.cli.arguments import Parser
from runner.client import DaemonClient, DaemonRefused

Commands = Mapping[str, tuple[Callable[[Parser], None], Callable[..., int]]]


class FakeDaemon:
    """Answers by the name of DaemonClient's method; a DaemonRefused is raised.

    ``asked`` holds every call: the method's name and its arguments.
    """

    def __init__(self, **answers: object) -> None:
        self.asked: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self._answers = answers

    def __getattr__(self, name: str) -> Callable[..., Any]:
        assert hasattr(DaemonClient, name), f"DaemonClient has no method {name}"

        def method(*arguments: Any, **options: Any) -> Any:
            self.asked.append((name, arguments, options))
            answer = self._answers[name]
            if isinstance(answer, dict) and arguments and arguments[0] in answer:
                answer = answer[arguments[0]]
            if isinstance(answer, DaemonRefused):
                raise answer
            return answer

        return method


def run_command(commands: Commands, name: str, daemon: FakeDaemon, *words: str) -> int:
    """The command's exit code."""
    read_arguments, command = commands[name]
    parser = Parser(name, "")
    read_arguments(parser)
    return command(cast(DaemonClient, daemon), parser.read(words))
