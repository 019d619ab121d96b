"""HTTP headers and error bodies of the distribution API: ranges, links, challenges, errors.

https://www.rfc-editor.org/rfc/rfc9110 sections 11.6.1 and 14, RFC 8288 section 3, and
https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

from oci.errors import ErrorCode, OCIError, quoted

MAX_INTEGER = 2**63 - 1
MAX_RANGES = 16
_MAX_RANGE_HEADER = 8192
_MAX_ENVELOPE = 1024 * 1024

# RFC 9110 8.6: Content-Length = 1*DIGIT; here at most 19, as many as 2^63-1 has.
_DIGITS = re.compile(r"[0-9]{1,19}", re.ASCII)
# RFC 9110 14.1.1: int-range = first-pos "-" [ last-pos ]; suffix-range = "-" suffix-length
#   first-pos = 1*DIGIT; last-pos = 1*DIGIT; suffix-length = 1*DIGIT
_RANGE = re.compile(r"([0-9]{1,19})?-([0-9]{1,19})?", re.ASCII)
# Distribution spec, "Pushing a blob in chunks": Content-Range must match ^[0-9]+-[0-9]+$
_UPLOAD_RANGE = re.compile(r"([0-9]{1,19})-([0-9]{1,19})", re.ASCII)

# RFC 9110 5.6.2: token = 1*tchar, where tchar = "!" / "#" / "$" / "%" / "&" / "'" / "*" / "+" /
# "-" / "." / "^" / "_" / "`" / "|" / "~" / DIGIT / ALPHA
_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
# RFC 9110 5.6.4: quoted-string = DQUOTE *( qdtext / quoted-pair ) DQUOTE
_QUOTED = r'"((?:[^"\\]|\\.)*+)"'
# RFC 9110 11.6.1: WWW-Authenticate = #challenge
#   11.3: challenge = auth-scheme [ 1*SP ( token68 / #auth-param ) ]; 11.1: auth-scheme = token
#   5.6.1.2: #element => [ element ] *( OWS "," OWS [ element ] )
_SCHEME = re.compile(rf"[ \t,]*+({_WORD})", re.ASCII)
# RFC 9110 11.2: auth-param = token BWS "=" BWS ( token / quoted-string )
_PARAMETER = re.compile(rf"[ \t,]*+({_WORD})[ \t]*+=[ \t]*+(?:({_WORD})|{_QUOTED})", re.ASCII)
# RFC 9110 11.2: token68 = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="
_TOKEN68 = re.compile(r"[ \t]++([A-Za-z0-9._~+/-]++=*+)[ \t]*+(?=,|\Z)", re.ASCII)
# RFC 8288 3: Link = #link-value
#   link-value = "<" URI-Reference ">" *( OWS ";" OWS link-param )
_LINK = re.compile(r"[ \t,]*+<([^<>]*+)>", re.ASCII)
# RFC 8288 3: link-param = token BWS [ "=" BWS ( token / quoted-string ) ]
_LINK_PARAMETER = re.compile(
    rf"[ \t]*+;[ \t]*+({_WORD})(?:[ \t]*+=[ \t]*+(?:({_WORD})|{_QUOTED}))?", re.ASCII
)
# RFC 9110 5.6.1.2: the end of a list, with empty elements: *( OWS "," OWS )
_END = re.compile(r"[ \t,]*+\Z", re.ASCII)
# RFC 9110 5.6.4: quoted-pair = "\" ( HTAB / SP / VCHAR / obs-text )
_ESCAPED = re.compile(r"\\(.)", re.ASCII)


class InvalidNumber(OCIError):
    """The text is not an integer from 0 to 2^63-1."""

    code = ErrorCode.SIZE_INVALID


class InvalidContentRange(OCIError):
    """The Content-Range of a chunk is not ``<first>-<last>``."""

    code = ErrorCode.BLOB_UPLOAD_INVALID


class RangeNotSatisfiable(OCIError):
    """No requested range lies within the content."""

    code = ErrorCode.SIZE_INVALID
    status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE

    def __init__(self, header: str, size: int) -> None:
        super().__init__(f"range {quoted(header)} lies outside the content of {size} bytes")
        self.size = size


class InvalidChallenge(OCIError):
    """The WWW-Authenticate header cannot be read."""

    code = ErrorCode.UNAUTHORIZED


class InvalidLink(OCIError):
    """The Link header cannot be read."""

    code = ErrorCode.UNSUPPORTED


@dataclass(frozen=True, slots=True)
class ByteRange:
    """A range of bytes: from ``start`` up to but not including ``stop``."""

    start: int
    stop: int

    @property
    def size(self) -> int:
        return self.stop - self.start

    def content_range(self, total: int) -> str:
        """The Content-Range header for this range of ``total`` bytes."""
        return f"bytes {self.start}-{self.stop - 1}/{total}"


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge of a WWW-Authenticate header; parameter names are lower-case.

    >>> Challenge("Bearer", {"realm": "https://r/token"}).format()
    'Bearer realm="https://r/token"'
    """

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict)

    def format(self) -> str:
        pairs = [f'{name}="{_escape(value)}"' for name, value in self.parameters.items()]
        return f"{self.scheme} {','.join(pairs)}".rstrip()


@dataclass(frozen=True, slots=True)
class ErrorEntry:
    """One error of a registry's response; the code may be any text."""

    code: str
    message: str
    detail: object = None


def parse_digits(text: str) -> int:
    """Read a whole number from 0 to 2^63-1 in ASCII digits, or raise InvalidNumber."""
    if not _DIGITS.fullmatch(text) or (number := int(text)) > MAX_INTEGER:
        raise InvalidNumber(
            f"invalid number {quoted(text)}: expected digits, at most {MAX_INTEGER}"
        )
    return number


def parse_range(header: str, size: int) -> tuple[ByteRange, ...] | None:
    """Read a Range header for a content of ``size`` bytes.

    None means: ignore the header and send the whole content.  The reason is another unit,
    malformed text, more than 16 ranges, or empty content (some clients request a range
    of every blob).  Overlapping ranges are merged; others keep the order of the request.
    Raises RangeNotSatisfiable if no range remains, or if one ends before it starts.
    """
    unit, equals, text = header.partition("=")
    is_bytes = bool(equals) and unit.strip().lower() == "bytes"
    if size == 0 or not is_bytes or len(text) > _MAX_RANGE_HEADER:
        return None
    ranges: list[ByteRange] = []
    for part in text.split(","):
        match = _RANGE.fullmatch(part.strip(" \t"))
        if match is None or match.group() == "-":
            return None
        wanted = _clamp(match[1], match[2], size)
        if match[1] and match[2] and int(match[2]) < int(match[1]):
            raise RangeNotSatisfiable(header, size)
        if wanted.size > 0:
            ranges.append(wanted)
    if not ranges:
        raise RangeNotSatisfiable(header, size)
    merged = _merge(ranges)
    return merged if len(merged) <= MAX_RANGES else None


def parse_content_range(text: str) -> ByteRange:
    """Read the spec's ``<first>-<last>`` of a chunk, or raise InvalidContentRange."""
    match = _UPLOAD_RANGE.fullmatch(text)
    if match is None:
        raise InvalidContentRange(
            f"invalid Content-Range {quoted(text)}: expected <first>-<last>, both in digits"
        )
    first, last = int(match[1]), int(match[2])
    if last < first or last >= MAX_INTEGER:
        raise InvalidContentRange(
            f"invalid Content-Range {quoted(text)}: expected the last byte at or after the first"
        )
    return ByteRange(first, last + 1)


def format_upload_range(offset: int, empty: str = "0-0") -> str:
    """The Range header of an upload that holds ``offset`` bytes."""
    return f"0-{offset - 1}" if offset > 0 else empty


def parse_challenge(header: str) -> tuple[Challenge, ...]:
    """Read every challenge of a WWW-Authenticate header, or raise InvalidChallenge."""
    challenges: list[Challenge] = []
    position = 0
    while not _END.match(header, position):
        scheme = _SCHEME.match(header, position)
        if scheme is None:
            raise InvalidChallenge(f"invalid challenge {quoted(header)}: expected a scheme")
        position = scheme.end()
        parameters: dict[str, str] = {}
        token68 = _TOKEN68.match(header, position)
        if token68 is not None:
            parameters["token68"] = token68[1]
            position = token68.end()
        while token68 is None and (parameter := _PARAMETER.match(header, position)):
            parameters[parameter[1].lower()] = _value(parameter[2], parameter[3])
            position = parameter.end()
        if header[position : position + 1] not in ("", " ", "\t", ","):
            raise InvalidChallenge(
                f"invalid challenge {quoted(header)}: expected a parameter at character {position}"
            )
        challenges.append(Challenge(scheme[1], parameters))
    return tuple(challenges)


def parse_link(header: str) -> str | None:
    """The target of the first link whose relation is ``next``, or None.

    Raises InvalidLink if the header is not a list of links.
    """
    position = 0
    while not _END.match(header, position):
        link = _LINK.match(header, position)
        if link is None:
            raise InvalidLink(f"invalid Link {quoted(header)}: expected <target>; rel=…")
        position = link.end()
        relations: list[str] = []
        while parameter := _LINK_PARAMETER.match(header, position):
            position = parameter.end()
            if parameter[1].lower() == "rel":
                relations += _value(parameter[2], parameter[3]).lower().split()
        if "next" in relations:
            return link[1]
    return None


def format_link(target: str) -> str:
    """The Link header of the next page."""
    return f'<{target}>; rel="next"'


def encode_errors(errors: Iterable[OCIError]) -> bytes:
    """The spec's JSON error body; each error's text is its message."""
    entries = []
    for error in errors:
        entry: dict[str, object] = {"code": error.code.name, "message": str(error)}
        if error.detail is not None:
            entry["detail"] = error.detail
        entries.append(entry)
    return json.dumps({"errors": entries}, separators=(",", ":")).encode()


def parse_errors(body: bytes) -> tuple[ErrorEntry, ...]:
    """The errors of a registry's response body; empty if the body is not the spec's JSON."""
    try:
        document = json.loads(body) if len(body) <= _MAX_ENVELOPE else None
    except (ValueError, RecursionError):
        return ()
    errors = document.get("errors") if isinstance(document, dict) else None
    if not isinstance(errors, list):
        return ()
    return tuple(
        ErrorEntry(str(entry.get("code", "")), str(entry.get("message", "")), entry.get("detail"))
        for entry in errors
        if isinstance(entry, dict)
    )


def _clamp(first: str | None, last: str | None, size: int) -> ByteRange:
    if first is not None:
        start = min(int(first), size)
        stop = size if last is None else min(int(last) + 1, size)
        return ByteRange(start, max(start, stop))
    suffix = min(int(last or "0"), size)
    return ByteRange(size - suffix, size)


def _merge(ranges: Sequence[ByteRange]) -> tuple[ByteRange, ...]:
    ordered = sorted(ranges, key=lambda wanted: wanted.start)
    merged = [ordered[0]]
    for wanted in ordered[1:]:
        if wanted.start < merged[-1].stop:
            merged[-1] = ByteRange(merged[-1].start, max(merged[-1].stop, wanted.stop))
        else:
            merged.append(wanted)
    # Without overlaps keep the request's order: clients match the parts by it.
    return tuple(ranges) if len(merged) == len(ranges) else tuple(merged)


def _value(token: str | None, quoted: str | None) -> str:
    if token is not None:
        return token
    return _ESCAPED.sub(r"\1", quoted or "")


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
