"""Errors as responses; the only place that maps them."""

import errno
import logging
from http import HTTPStatus

from oci.errors import OCIError
from runner.daemon.http.messages import Response, json_response
from runner.errors import Kind, NotModified, RunnerError

log = logging.getLogger(__name__)


def error_response(error: Exception) -> Response:
    """The Engine API's ``{"message": …}`` with the error's status, and ``kind`` for the command."""
    if isinstance(error, NotModified):
        return Response(HTTPStatus.NOT_MODIFIED)
    known = kind(error)
    document = {"message": message(error), **({"kind": known} if known else {})}
    return json_response(document, status(error))


def status(error: Exception) -> HTTPStatus:
    if isinstance(error, RunnerError):
        return error.status
    # An OCIError is a malformed reference or digest of the client's, whatever its registry status.
    return HTTPStatus.BAD_REQUEST if isinstance(error, OCIError) else _log_unexpected(error)


def message(error: Exception) -> str:
    """The message for the user; an unexpected error's details go only to the log."""
    if isinstance(error, RunnerError | OCIError):
        return str(error)
    if _is_full_disk(error):
        return "no space left on device, at the runner's root"
    return f"internal error: {type(error).__name__}: {error}"


def kind(error: Exception) -> Kind | None:
    """The error's kind for programs, if it has one."""
    if isinstance(error, RunnerError):
        return error.kind
    return Kind.NO_SPACE if _is_full_disk(error) else None


def _is_full_disk(error: Exception) -> bool:
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def _log_unexpected(error: Exception) -> HTTPStatus:
    log.error("request failed", exc_info=error)
    return HTTPStatus.INTERNAL_SERVER_ERROR
