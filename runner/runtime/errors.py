"""Errors of a runtime, each with a message for the user."""

from http import HTTPStatus

from runner.errors import Kind, RunnerError


class RuntimeRefused(RunnerError):
    """The runtime failed; the message is its own, on one line."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR


class RuntimeTimedOut(RuntimeRefused):
    """A child process exceeded its time limit and was killed with its descendants."""

    def __init__(self, program: str, seconds: float) -> None:
        super().__init__(f"{program} did not answer within {seconds:g} seconds and was ended")


class CommandNotFound(RuntimeRefused):
    """The container has no such program: the command line exits with 127."""

    status = HTTPStatus.BAD_REQUEST
    kind = Kind.COMMAND_NOT_FOUND


class CommandNotExecutable(RuntimeRefused):
    """The program is there and cannot be run: the command line exits with 126."""

    status = HTTPStatus.BAD_REQUEST
    kind = Kind.COMMAND_NOT_EXECUTABLE


class ContainerUnknown(RuntimeRefused):
    """The runtime knows no container with this id."""

    status = HTTPStatus.NOT_FOUND


class NotRunning(RuntimeRefused):
    """The container is not running."""

    status = HTTPStatus.CONFLICT
    kind = Kind.CONTAINER_NOT_RUNNING
