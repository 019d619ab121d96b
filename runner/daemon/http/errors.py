"""Refusal → response; the only place."""

import errno
import logging
from http import HTTPStatus

from oci.errors import OCIError
from runner.daemon.http.messages import Response, json_response
from runner.errors import Kind, NotModified, RunnerError

log = logging.getLogger(__name__)


def error_response(error: Exception) -> Response:
    """The Engine API's ``{"message": …}``, with the status that the error itself knows.

    Ours: ``kind``, for the command.
    """
    if isinstance(error, NotModified):
        return Response(HTTPStatus.NOT_MODIFIED)
    known = kind(error)
    document = {"message": message(error), **({"kind": known} if known else {})}
    return json_response(document, status(error))


def status(error: Exception) -> HTTPStatus:
    if isinstance(error, RunnerError):
        return error.status
    # A reference or a digest that does not parse: whatever the registry would answer, here it is
    # the caller's mistake.
    return HTTPStatus.BAD_REQUEST if isinstance(error, OCIError) else _log_unexpected(error)


def message(error: Exception) -> str:
    """What to tell the user; an error nobody foresaw keeps its details in the log."""
    if isinstance(error, RunnerError | OCIError):
        return str(error)
    if _is_full_disk(error):
        return "no space left on device, at the runner's root"
    return f"internal error: {type(error).__name__}: {error}"


def kind(error: Exception) -> Kind | None:
    """What a refusal is about, where a program would care."""
    if isinstance(error, RunnerError):
        return error.kind
    return Kind.NO_SPACE if _is_full_disk(error) else None


def _is_full_disk(error: Exception) -> bool:
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def _log_unexpected(error: Exception) -> HTTPStatus:
    log.error("request failed", exc_info=error)
    return HTTPStatus.INTERNAL_SERVER_ERROR
