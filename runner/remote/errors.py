"""What another registry refused or got wrong, in one sentence each."""

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
    """The registry asked for, or answered, something that must not be believed."""

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
    """The registry's refusal: who, what was action, what came back."""
    error = KINDS.get(status, Unavailable if status >= 500 else RemoteUntrusted)
    codes = {entry.code for entry in parse_errors(body)}
    kind = Kind.IMAGE_ABSENT_AT_REGISTRY if codes & _ABSENT else None
    return error(f"{host} refused to {action}: {status} {_message(status, body)}", kind=kind)


def _message(status: int, body: bytes) -> str:
    """The envelope's sentences; without an envelope, what the status means."""
    entries = parse_errors(body)
    said = "; ".join(f"{entry.code}: {entry.message}".rstrip(": ") for entry in entries)
    if not said:
        try:
            said = HTTPStatus(status).phrase
        except ValueError:
            said = "unknown status"
    # What a registry says ends up on a terminal.
    printable = "".join(character if character.isprintable() else " " for character in said)
    return printable[:MAX_MESSAGE_CHARACTERS]
