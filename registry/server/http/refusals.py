"""Refusals: responses of the server itself, in the spec's error envelope."""

import json
from http import HTTPStatus

from oci.errors import OCIError


def refusal(error: OCIError) -> bytes:
    """The bytes of a whole response."""
    status = error.status or error.code.status
    return _response(status, error.code.name, str(error))


def _response(status: HTTPStatus, code: str, message: str) -> bytes:
    document = {"errors": [{"code": code, "message": message, "detail": None}]}
    body = json.dumps(document).encode()
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        "content-type: application/json\r\n"
        f"content-length: {len(body)}\r\n"
        "connection: close\r\n\r\n"
    )
    return head.encode() + body


# The spec's table has no code for an internal error; clients know UNKNOWN.
INTERNAL_ERROR = _response(HTTPStatus.INTERNAL_SERVER_ERROR, "UNKNOWN", "internal error")
