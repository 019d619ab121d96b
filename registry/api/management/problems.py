"""Problems: a refusal of the management API to ``application/problem+json``; the only place.

https://www.rfc-editor.org/rfc/rfc9457
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from starlette.responses import Response

from oci.errors import OCIError
from registry.api.challenges import BASIC
from registry.api.errors import RETRY_AFTER_SECONDS, EndpointUnknown, MethodNotAllowed
from registry.api.responses import NEVER
from registry.errors import (
    Absent,
    CommandRefused,
    CommitUnknown,
    ConditionFailed,
    Conflict,
    Denied,
    Invalid,
    LoginDelayed,
    RegistryReadOnly,
    StorageFailed,
    StorageFull,
    StorageUnreadable,
    TooLarge,
    TooManyRequests,
    Unauthorized,
)

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:slipway:problem:"


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """The part of a body that is wrong: its JSON pointer, and the reason."""

    pointer: str
    detail: str


class BodyInvalid(Invalid):
    """A body that its schema does not allow."""

    def __init__(self, problems: Sequence[FieldProblem]) -> None:
        first = problems[0]
        super().__init__(f"{first.pointer or 'the body'}: {first.detail}")
        self.problems = tuple(problems)


class MediaTypeUnsupported(CommandRefused):
    """A body of another media type than the endpoint reads."""


@dataclass(frozen=True, slots=True)
class ProblemType:
    """A row of the table of problems."""

    name: str
    status: HTTPStatus
    title: str


INVALID = ProblemType("invalid", HTTPStatus.BAD_REQUEST, "The request is malformed")
FAILED = ProblemType("failed", HTTPStatus.INTERNAL_SERVER_ERROR, "The registry failed")
_UNAVAILABLE = ProblemType(
    "unavailable", HTTPStatus.SERVICE_UNAVAILABLE, "The registry cannot do this now"
)
_STORAGE = ProblemType(
    "storage", HTTPStatus.INSUFFICIENT_STORAGE, "The registry could not store this"
)

# By the class of the error, the first that fits.
TYPES: Sequence[tuple[type[Exception], ProblemType]] = (
    (Unauthorized, ProblemType("unauthorized", HTTPStatus.UNAUTHORIZED, "Sign in")),
    (Denied, ProblemType("denied", HTTPStatus.FORBIDDEN, "You may not do this")),
    (Absent, ProblemType("absent", HTTPStatus.NOT_FOUND, "There is no such thing")),
    (
        EndpointUnknown,
        ProblemType("endpoint-unknown", HTTPStatus.NOT_FOUND, "There is no such endpoint"),
    ),
    (
        MethodNotAllowed,
        ProblemType("method-not-allowed", HTTPStatus.METHOD_NOT_ALLOWED, "No such method here"),
    ),
    (Conflict, ProblemType("conflict", HTTPStatus.CONFLICT, "What exists forbids this")),
    (
        ConditionFailed,
        ProblemType(
            "condition-failed", HTTPStatus.PRECONDITION_FAILED, "It is not as you expected"
        ),
    ),
    (
        TooLarge,
        ProblemType("too-large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large"),
    ),
    (
        MediaTypeUnsupported,
        ProblemType(
            "media-type", HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The body has another media type"
        ),
    ),
    (
        TooManyRequests,
        ProblemType("too-many-requests", HTTPStatus.TOO_MANY_REQUESTS, "Try again later"),
    ),
    (StorageFull, _STORAGE),
    (StorageFailed, _STORAGE),
    (CommitUnknown, _UNAVAILABLE),
    (RegistryReadOnly, _UNAVAILABLE),
    (StorageUnreadable, _UNAVAILABLE),
    (OCIError, INVALID),
    (CommandRefused, INVALID),
)


def type_of(error: Exception) -> ProblemType:
    """The row of an error; that of a failure for one that is no refusal."""
    return next((row for kind, row in TYPES if isinstance(error, kind)), FAILED)


def refuse(error: CommandRefused | OCIError, request_id: str) -> Response:
    """The answer to a request that is refused."""
    errors = error.problems if isinstance(error, BodyInvalid) else ()
    headers = {}
    match error:
        case Unauthorized():
            headers["WWW-Authenticate"] = BASIC.format()
        case MethodNotAllowed():
            headers["Allow"] = error.allowed
        case LoginDelayed():
            headers["Retry-After"] = str(error.retry_after)
        case TooManyRequests() | CommitUnknown():
            headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return _problem(type_of(error), str(error), request_id, headers, errors)


def fail(request_id: str) -> Response:
    """The answer after an unexpected exception, which is logged under the request id."""
    return _problem(
        FAILED, f"the registry failed; its log has more under request id {request_id}", request_id
    )


def _problem(
    row: ProblemType,
    detail: str,
    request_id: str,
    headers: dict[str, str] | None = None,
    errors: Sequence[FieldProblem] = (),
) -> Response:
    document: dict[str, object] = {
        "type": TYPE_PREFIX + row.name,
        "title": row.title,
        "status": row.status,
        "detail": detail,
        "instance": request_id,
    }
    if errors:
        document["errors"] = [{"pointer": e.pointer, "detail": e.detail} for e in errors]
    return Response(
        json.dumps(document, separators=(",", ":")),
        status_code=row.status,
        headers={**(headers or {}), "Cache-Control": NEVER},
        media_type=MEDIA_TYPE,
    )
