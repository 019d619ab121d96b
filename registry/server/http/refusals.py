"""Refusals: responses of the server itself, in the spec's error envelope."""

from http import HTTPStatus

from oci.errors import OCIError
from oci.http import ERROR_HEADERS, ErrorEntry, encode_entries, encode_errors


def refusal(error: OCIError) -> bytes:
    """The bytes of a whole response."""
    return _response(error.status or error.code.status, encode_errors([error]))


def _response(status: HTTPStatus, body: bytes) -> bytes:
    fields = "".join(f"{name.lower()}: {value}\r\n" for name, value in ERROR_HEADERS.items())
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        f"{fields}"
        f"content-length: {len(body)}\r\n"
        "connection: close\r\n\r\n"
    )
    return head.encode() + body


# The spec's table has no code for an internal error; clients know UNKNOWN.
INTERNAL_ERROR = _response(
    HTTPStatus.INTERNAL_SERVER_ERROR, encode_entries([ErrorEntry("UNKNOWN", "internal error")])
)
