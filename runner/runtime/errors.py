"""What a runtime refuses, each with the sentence that the user reads."""

from http import HTTPStatus

from runner.errors import Kind, RunnerError


class RuntimeRefused(RunnerError):
    """The runtime could not do it; the text is its own, in one line."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR


class RuntimeTimedOut(RuntimeRefused):
    """A program of ours did not answer in time, and was ended with all that it had started."""

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
    """The container has no running process to do this to."""

    status = HTTPStatus.CONFLICT
    kind = Kind.CONTAINER_NOT_RUNNING
