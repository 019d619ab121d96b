"""What the runner refuses, each with the Engine API's status."""

from enum import StrEnum
from http import HTTPStatus


class Kind(StrEnum):
    """What a refusal is about, for programs; an answer has it beside its message.

    The command chooses its hint and its exit code by it, and not by the words of the message.
    """

    COMMAND_NOT_EXECUTABLE = "command-not-executable"
    COMMAND_NOT_FOUND = "command-not-found"
    CONTAINER_ABSENT = "container-absent"
    CONTAINER_NOT_RUNNING = "container-not-running"
    HOST_UNKNOWN = "host-unknown"
    IMAGE_ABSENT = "image-absent"
    IMAGE_ABSENT_AT_REGISTRY = "image-absent-at-registry"
    IMAGE_USED_BY_RUNNING = "image-used-by-running"
    IMAGE_USED_BY_STOPPED = "image-used-by-stopped"
    NAME_IN_USE = "name-in-use"
    NETWORK_NOT_OFFERED = "network-not-offered"
    NO_SPACE = "no-space"
    REGISTRY_UNREACHABLE = "registry-unreachable"
    UNAUTHORIZED = "unauthorized"
    VOLUME_ABSENT = "volume-absent"
    VOLUME_NAME_INVALID = "volume-name-invalid"


class RunnerError(Exception):
    """The base of every refusal.

    ``str()`` is the sentence for the user, ``status`` the one the answer has, ``kind`` what
    programs need to know, if anything.
    """

    status: HTTPStatus = HTTPStatus.INTERNAL_SERVER_ERROR
    kind: Kind | None = None

    def __init__(self, message: str = "", *, kind: Kind | None = None) -> None:
        super().__init__(message)
        if kind is not None:
            self.kind = kind


class BadRequest(RunnerError):
    """What was asked for makes no sense, or is not offered."""

    status = HTTPStatus.BAD_REQUEST


class Unauthorized(RunnerError):
    """The credentials were refused, or are missing."""

    status = HTTPStatus.UNAUTHORIZED
    kind = Kind.UNAUTHORIZED


class Forbidden(RunnerError):
    """Whoever asks may not have this."""

    status = HTTPStatus.FORBIDDEN


class NotFound(RunnerError):
    """The thing that was named does not exist."""

    status = HTTPStatus.NOT_FOUND


class NoSuchContainer(NotFound):
    """No container has this name or ID."""

    kind = Kind.CONTAINER_ABSENT

    def __init__(self, name: str) -> None:
        super().__init__(f"No such container: {name}")


class NoSuchImage(NotFound):
    """No image has this reference or ID."""

    kind = Kind.IMAGE_ABSENT

    def __init__(self, name: str) -> None:
        super().__init__(f"No such image: {name}")


class NoSuchExec(NotFound):
    """No exec has this ID."""

    def __init__(self, name: str) -> None:
        super().__init__(f"No such exec instance: {name}")


class NoSuchVolume(NotFound):
    """No volume has this name."""

    kind = Kind.VOLUME_ABSENT

    def __init__(self, name: str) -> None:
        super().__init__(f"get {name}: no such volume")


class Conflict(RunnerError):
    """The thing exists, but its state does not allow what was asked."""

    status = HTTPStatus.CONFLICT


class NotModified(RunnerError):
    """The thing already is as it was asked to be; the answer has no body."""

    status = HTTPStatus.NOT_MODIFIED


class Unavailable(RunnerError):
    """Something outside the runner does not answer: the daemon itself, a registry."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
