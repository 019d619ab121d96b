"""ErrorCode, the spec's table of codes, and OCIError, the base of all errors with one.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes
"""

from enum import Enum
from http import HTTPStatus
from typing import ClassVar

_SHOWN_CHARACTERS = 80


class ErrorCode(Enum):
    """The spec's table, code-1 to code-14: the HTTP status and the message of each code.

    The spec gives codes and messages; the statuses are those of its endpoint table.
    """

    BLOB_UNKNOWN = HTTPStatus.NOT_FOUND, "blob unknown to registry"
    BLOB_UPLOAD_INVALID = HTTPStatus.BAD_REQUEST, "blob upload invalid"
    BLOB_UPLOAD_UNKNOWN = HTTPStatus.NOT_FOUND, "blob upload unknown to registry"
    DIGEST_INVALID = HTTPStatus.BAD_REQUEST, "provided digest did not match uploaded content"
    MANIFEST_BLOB_UNKNOWN = (
        HTTPStatus.NOT_FOUND,
        "manifest references a manifest or blob unknown to registry",
    )
    MANIFEST_INVALID = HTTPStatus.BAD_REQUEST, "manifest invalid"
    MANIFEST_UNKNOWN = HTTPStatus.NOT_FOUND, "manifest unknown to registry"
    NAME_INVALID = HTTPStatus.BAD_REQUEST, "invalid repository name"
    NAME_UNKNOWN = HTTPStatus.NOT_FOUND, "repository name not known to registry"
    SIZE_INVALID = HTTPStatus.BAD_REQUEST, "provided length did not match content length"
    UNAUTHORIZED = HTTPStatus.UNAUTHORIZED, "authentication required"
    DENIED = HTTPStatus.FORBIDDEN, "requested access to the resource is denied"
    UNSUPPORTED = HTTPStatus.METHOD_NOT_ALLOWED, "the operation is unsupported"
    TOOMANYREQUESTS = HTTPStatus.TOO_MANY_REQUESTS, "too many requests"

    def __init__(self, status: HTTPStatus, message: str) -> None:
        self.status = status
        self.message = message


class OCIError(Exception):
    """An error reported to the client; ``str()`` states the value found and the one expected.

    ``status`` is set only where the response's status differs from the code's own.
    """

    code: ClassVar[ErrorCode]
    status: ClassVar[HTTPStatus | None] = None

    def __init__(self, message: str, *, detail: object = None) -> None:
        super().__init__(message)
        self.detail = detail


def quoted(text: str) -> str:
    """Quote a value for an error message, truncated when long.

    >>> quoted("a" * 200)[-4:]
    "aa…'"
    """
    if len(text) > _SHOWN_CHARACTERS:
        text = text[: _SHOWN_CHARACTERS - 1] + "…"
    return ascii(text) if not text.isprintable() else repr(text)
