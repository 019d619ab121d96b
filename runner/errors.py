"""What the runner refuses, each with the Engine API's status."""

from http import HTTPStatus


class RunnerError(Exception):
    """The base of every refusal.

    ``str()`` is the sentence for the user, ``status`` the one the answer has.
    """

    status: HTTPStatus = HTTPStatus.INTERNAL_SERVER_ERROR


class BadRequest(RunnerError):
    """What was asked for makes no sense, or is not offered."""

    status = HTTPStatus.BAD_REQUEST


class Unauthorized(RunnerError):
    """The credentials were refused, or are missing."""

    status = HTTPStatus.UNAUTHORIZED


class Forbidden(RunnerError):
    """Whoever asks may not have this."""

    status = HTTPStatus.FORBIDDEN


class NotFound(RunnerError):
    """The thing that was named does not exist."""

    status = HTTPStatus.NOT_FOUND


class NoSuchContainer(NotFound):
    """No container has this name or ID."""

    def __init__(self, name: str) -> None:
        super().__init__(f"No such container: {name}")


class NoSuchImage(NotFound):
    """No image has this reference or ID."""

    def __init__(self, name: str) -> None:
        super().__init__(f"No such image: {name}")


class NoSuchExec(NotFound):
    """No exec has this ID."""

    def __init__(self, name: str) -> None:
        super().__init__(f"No such exec instance: {name}")


class NoSuchVolume(NotFound):
    """No volume has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"get {name}: no such volume")


class Conflict(RunnerError):
    """The thing exists, but its state does not allow what was asked."""

    status = HTTPStatus.CONFLICT


class NotModified(RunnerError):
    """The thing already is as it was asked to be; the answer has no body."""

    status = HTTPStatus.NOT_MODIFIED


class NotSupported(RunnerError):
    """The Engine API has it, this version of the runner does not."""

    status = HTTPStatus.NOT_IMPLEMENTED


class Unavailable(RunnerError):
    """Something outside the runner does not answer: the daemon itself, a registry."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
