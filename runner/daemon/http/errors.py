"""Errors as responses of the Engine API; the only place that maps them.

https://docs.docker.com/engine/api/v1.44/#section/Errors
"""

import errno
import logging
from dataclasses import replace
from http import HTTPStatus

import h11

from oci.errors import OCIError
from runner.daemon.http.messages import Response, json_response
from runner.errors import Kind, NotModified, RunnerError

log = logging.getLogger(__name__)


def error_response(error: Exception) -> Response:
    """The Engine API's ``{"message": …}`` with the error's status, and ``kind`` for the command."""
    if isinstance(error, NotModified):
        return Response(HTTPStatus.NOT_MODIFIED)
    log_unexpected(error)
    known = kind(error)
    document = {"message": message(error), **({"kind": known} if known else {})}
    return json_response(document, status(error))


def malformed_response(error: h11.RemoteProtocolError) -> Response:
    """The refusal of bytes that are no HTTP request; the connection is closed after it."""
    document = {"message": f"malformed request: {error}"}
    response = json_response(document, HTTPStatus(error.error_status_hint))
    return replace(response, headers={"Connection": "close"})


def status(error: Exception) -> HTTPStatus:
    """The error's status; 500 for an unexpected one."""
    if isinstance(error, RunnerError):
        return error.status
    # An OCIError is a malformed reference or digest of the client's, whatever its registry status.
    if isinstance(error, OCIError):
        return HTTPStatus.BAD_REQUEST
    return HTTPStatus.INTERNAL_SERVER_ERROR


def log_unexpected(error: Exception) -> None:
    """Log an error that is no refusal, with its traceback, which no client sees."""
    if not isinstance(error, RunnerError | OCIError):
        log.error("request failed", exc_info=error)


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
