"""Errors for refusals and protocol violations by other registries."""

from http import HTTPStatus

from oci.http import parse_errors
from runner.errors import (
    BadRequest,
    Forbidden,
    Kind,
    NotFound,
    RunnerError,
    Unauthorized,
    Unavailable,
)


class RemoteUntrusted(RunnerError):
    """The registry violated the protocol, or its response must not be trusted."""

    status = HTTPStatus.BAD_GATEWAY


KINDS: dict[int, type[RunnerError]] = {
    HTTPStatus.BAD_REQUEST: BadRequest,
    HTTPStatus.UNAUTHORIZED: Unauthorized,
    HTTPStatus.FORBIDDEN: Forbidden,
    HTTPStatus.NOT_FOUND: NotFound,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: BadRequest,
    HTTPStatus.TOO_MANY_REQUESTS: Unavailable,
}
MAX_MESSAGE_CHARACTERS = 500
_ABSENT = frozenset({"NAME_UNKNOWN", "MANIFEST_UNKNOWN"})


def refusal(host: str, action: str, status: int, body: bytes) -> RunnerError:
    """The error for a refused action: host, action, status and the registry's message."""
    error = KINDS.get(status, Unavailable if status >= 500 else RemoteUntrusted)
    codes = {entry.code for entry in parse_errors(body)}
    kind = Kind.IMAGE_ABSENT_AT_REGISTRY if codes & _ABSENT else None
    return error(f"{host} refused to {action}: {status} {_message(status, body)}", kind=kind)


def _message(status: int, body: bytes) -> str:
    """The messages of the error body, or else the meaning of the status."""
    entries = parse_errors(body)
    message = "; ".join(f"{entry.code}: {entry.message}".rstrip(": ") for entry in entries)
    if not message:
        try:
            message = HTTPStatus(status).phrase
        except ValueError:
            message = "unknown status"
    # The message may reach a terminal: strip control characters.
    printable = "".join(character if character.isprintable() else " " for character in message)
    return printable[:MAX_MESSAGE_CHARACTERS]
