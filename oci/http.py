"""HTTP headers and error bodies of the distribution API: numbers, links, challenges, errors.

https://www.rfc-editor.org/rfc/rfc9110 section 11.6.1, RFC 8288 section 3, and
https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from oci.errors import ErrorCode, OCIError, quoted

MAX_INTEGER = 2**63 - 1

# RFC 9111 4.2.2: without Cache-Control a cache may keep a 404, 405 or 414, and answer with it when
# its cause is long gone.
ERROR_HEADERS: Mapping[str, str] = MappingProxyType(
    {"Content-Type": "application/json", "Cache-Control": "no-store"}
)
"""The headers of every error response, beside its own."""

_MAX_ENVELOPE = 1024 * 1024

# RFC 9110 8.6: Content-Length = 1*DIGIT; here at most 19, as many as 2^63-1 has.
_DIGITS = re.compile(r"[0-9]{1,19}", re.ASCII)

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


class InvalidChallenge(OCIError):
    """The WWW-Authenticate header cannot be read."""

    code = ErrorCode.UNAUTHORIZED


class InvalidLink(OCIError):
    """The Link header cannot be read."""

    code = ErrorCode.UNSUPPORTED


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
    """One error of a registry's response; the code may be any text, the detail any JSON value."""

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
    return encode_entries(ErrorEntry(error.code.name, str(error), error.detail) for error in errors)


def encode_entries(entries: Iterable[ErrorEntry]) -> bytes:
    """The spec's JSON error body, for every response; ``detail`` is left out where it is None.

    Reads back with ``parse_errors``.
    """
    documents = []
    for entry in entries:
        document: dict[str, object] = {"code": entry.code, "message": entry.message}
        if entry.detail is not None:
            document["detail"] = entry.detail
        documents.append(document)
    return json.dumps({"errors": documents}, separators=(",", ":")).encode()


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


def _value(token: str | None, quoted: str | None) -> str:
    if token is not None:
        return token
    return _ESCAPED.sub(r"\1", quoted or "")


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
