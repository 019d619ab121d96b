"""The runner's errors, each with its Engine API status.

https://docs.docker.com/engine/api/v1.44/#section/Errors
"""

from enum import StrEnum
from http import HTTPStatus


class Kind(StrEnum):
    """The cause of an error, for programs; sent beside the message.

    The command chooses hints and exit codes by it, never by the message's text.
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
    """The base of the runner's errors.

    ``str()`` is the message for the user, ``status`` the response's HTTP status, ``kind`` the
    cause for programs, if any.
    """

    status: HTTPStatus = HTTPStatus.INTERNAL_SERVER_ERROR
    kind: Kind | None = None

    def __init__(self, message: str = "", *, kind: Kind | None = None) -> None:
        super().__init__(message)
        if kind is not None:
            self.kind = kind


class BadRequest(RunnerError):
    """The request is invalid or not supported."""

    status = HTTPStatus.BAD_REQUEST


class Unauthorized(RunnerError):
    """The credentials were refused, or are missing."""

    status = HTTPStatus.UNAUTHORIZED
    kind = Kind.UNAUTHORIZED


class Forbidden(RunnerError):
    """The request is not allowed."""

    status = HTTPStatus.FORBIDDEN


class NotFound(RunnerError):
    """The named object does not exist."""

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
    """The object's state does not allow the request."""

    status = HTTPStatus.CONFLICT


class NotModified(RunnerError):
    """The object is already in the requested state; the response has no body."""

    status = HTTPStatus.NOT_MODIFIED


class Unavailable(RunnerError):
    """A registry or another external service does not respond."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
