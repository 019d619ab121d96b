"""Request heads: checks beyond those of the parser.

https://www.rfc-editor.org/rfc/rfc9112#section-3
https://www.rfc-editor.org/rfc/rfc9112#section-6

llhttp, strict, refuses `obs-fold`, bare line feeds, Content-Length beside Transfer-Encoding and
malformed sizes.  Here are the ambiguous heads that it accepts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

import httptools

from oci.errors import ErrorCode, OCIError, quoted

_VERSIONS = ("1.0", "1.1")
_OF_THE_CONNECTION = frozenset(
    (b"host", b"content-length", b"transfer-encoding", b"expect", b"authorization")
)
_NOT_IN_HOST = frozenset(b",/@ \t")


class MalformedRequest(OCIError):
    """An ambiguous or malformed request; the connection is closed after the response."""

    code = ErrorCode.UNSUPPORTED
    status = HTTPStatus.BAD_REQUEST


class HeadTooLarge(MalformedRequest):
    """More headers, or longer ones, than the limits."""

    status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE


class TooSlow(MalformedRequest):
    """The client stopped in the middle of a request."""

    status = HTTPStatus.REQUEST_TIMEOUT


class VersionUnsupported(MalformedRequest):
    """HTTP, but neither 1.0 nor 1.1."""

    status = HTTPStatus.HTTP_VERSION_NOT_SUPPORTED


@dataclass(frozen=True, slots=True)
class RequestHead:
    """A checked head: its target, and the framing of its body."""

    path: bytes
    query: bytes
    expects_continue: bool
    content_length: int | None
    """None for a chunked body, zero without a body."""


def read_head(
    method: str, target: bytes, version: str, headers: Sequence[tuple[bytes, bytes]]
) -> RequestHead:
    """Check a head with header names in lower case; raises MalformedRequest."""
    if version not in _VERSIONS:
        raise VersionUnsupported(f"HTTP version is {quoted(version)}, expected 1.0 or 1.1")
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in _OF_THE_CONNECTION:
            if name in found:
                raise MalformedRequest(f"header {name.decode()} is given twice, expected once")
            found[name] = value
    host = found.get(b"host")
    if host is None and version == "1.1":
        raise MalformedRequest("header host is missing, which HTTP/1.1 needs")
    path, query = _read_target(method, target, host)
    coding = found.get(b"transfer-encoding")
    if coding is not None:
        _check_coding(coding, version)
    expects_continue = _expects_continue(found.get(b"expect"), version)
    length = None if coding is not None else int(found.get(b"content-length", b"0"))
    return RequestHead(path, query, expects_continue, length)


def _read_target(method: str, target: bytes, host: bytes | None) -> tuple[bytes, bytes]:
    if method == "CONNECT":
        raise MalformedRequest("this is not a proxy: CONNECT is not served")
    if host is not None and not _NOT_IN_HOST.isdisjoint(host):
        raise MalformedRequest(f"header host is {_text(host)}, expected a host and a port")
    if target.startswith(b"/"):
        if b"#" in target:
            raise MalformedRequest(f"target {_text(target)} has a fragment, expected none")
        path, _, query = target.partition(b"?")
        return path, query
    if target == b"*" and method == "OPTIONS":
        return target, b""
    return _read_absolute(target, host)


def _read_absolute(target: bytes, host: bytes | None) -> tuple[bytes, bytes]:
    """A target in absolute form must name the same host as the Host header."""
    try:
        url = httptools.parse_url(target)
    except httptools.HttpParserInvalidURLError as error:
        raise MalformedRequest(f"target {_text(target)} is not a path") from error
    if (url.schema or b"").lower() not in (b"http", b"https") or url.fragment or url.userinfo:
        raise MalformedRequest(f"target {_text(target)} is not a path")
    authority = target.split(b"/", 3)[2].partition(b"?")[0]
    if host is None or authority.lower() != host.lower():
        raise MalformedRequest(
            f"target {_text(target)} names another host than header host, {_text(host or b'')}"
        )
    return url.path or b"/", url.query or b""


def _check_coding(coding: bytes, version: str) -> None:
    if coding.lower() != b"chunked":
        raise MalformedRequest(f"transfer-encoding is {_text(coding)}, expected chunked")
    if version == "1.0":
        raise MalformedRequest("transfer-encoding is given, which HTTP/1.0 does not have")


def _expects_continue(expectation: bytes | None, version: str) -> bool:
    if expectation is None or version == "1.0":
        return False
    if expectation.lower() != b"100-continue":
        raise ExpectationFailed(f"header expect is {_text(expectation)}, expected 100-continue")
    return True


class ExpectationFailed(MalformedRequest):
    """An expectation other than 100-continue."""

    status = HTTPStatus.EXPECTATION_FAILED


def _text(found: bytes) -> str:
    return quoted(found.decode("latin-1"))
