"""Refusal → response; the only place.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes
"""

from collections.abc import Iterable, Sequence
from http import HTTPStatus

from starlette.responses import Response

from oci.errors import ErrorCode, OCIError, quoted
from oci.http import ERROR_HEADERS, Challenge, ErrorEntry, encode_entries, encode_errors
from oci.ranges import RangeNotSatisfiable, format_upload_range
from registry.errors import (
    CommitUnknown,
    LoginDelayed,
    ManifestReferencesMissing,
    RangeInvalid,
    TooManyRequests,
    Unauthorized,
)

RETRY_AFTER_SECONDS = 5
JSON = "application/json"


class EndpointUnknown(OCIError):
    """No endpoint has this path."""

    code = ErrorCode.UNSUPPORTED
    status = HTTPStatus.NOT_FOUND

    def __init__(self, path: str) -> None:
        super().__init__(f"no endpoint at {quoted(path)}")


class MethodNotAllowed(OCIError):
    """The path has endpoints, but none for this method."""

    code = ErrorCode.UNSUPPORTED

    def __init__(self, method: str, allowed: Iterable[str]) -> None:
        self.allowed = ", ".join(allowed)
        super().__init__(f"found method {quoted(method)}, expected one of {self.allowed}")


class PathInvalid(OCIError):
    """The path cannot be decoded unambiguously."""

    code = ErrorCode.NAME_INVALID


class QueryInvalid(OCIError):
    """A query parameter is malformed or repeated."""

    code = ErrorCode.UNSUPPORTED
    status = HTTPStatus.BAD_REQUEST


class TooManyTags(OCIError):
    """More tags in one push than are accepted."""

    code = ErrorCode.UNSUPPORTED
    status = HTTPStatus.REQUEST_URI_TOO_LONG

    def __init__(self, found: int, limit: int) -> None:
        super().__init__(f"{found} tags, expected at most {limit}")


def refuse(path: str, error: OCIError, challenge: Challenge | None = None) -> Response:
    """The response for an error: the spec's error envelope, with the error's own code.

    ``challenge``: that of a 401.
    """
    errors: Sequence[OCIError] = (
        error.errors if isinstance(error, ManifestReferencesMissing) else (error,)
    )
    return Response(
        encode_errors(errors),
        status_code=error.status or error.code.status,
        headers=_headers(path, error, challenge),
    )


def fail(request_id: str) -> Response:
    """The response for an unexpected exception, which is logged under the request id."""
    message = f"the registry failed; its log has more under request id {request_id}"
    body = encode_entries([ErrorEntry("UNKNOWN", message)])
    return Response(body, status_code=HTTPStatus.INTERNAL_SERVER_ERROR, headers=ERROR_HEADERS)


def _headers(path: str, error: OCIError, challenge: Challenge | None) -> dict[str, str]:
    headers = dict(ERROR_HEADERS)
    if challenge is not None:
        headers["WWW-Authenticate"] = challenge.format()
    match error:
        case Unauthorized():
            headers["Docker-Distribution-API-Version"] = "registry/2.0"
        case MethodNotAllowed():
            headers["Allow"] = error.allowed
        case RangeNotSatisfiable():
            headers["Content-Range"] = f"bytes */{error.size}"
        case RangeInvalid():
            # regctl resumes from any 4xx with the session's Location and Range.
            headers["Location"] = path
            headers["Range"] = format_upload_range(error.offset)
        case LoginDelayed():
            headers["Retry-After"] = str(error.retry_after)
        case TooManyRequests() | CommitUnknown():
            headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return headers
