"""Conditional requests: If-Match, If-None-Match, If-Range and Range.

https://www.rfc-editor.org/rfc/rfc9110#section-13
"""

import re

from starlette.datastructures import Headers

from oci.digest import Digest
from oci.ranges import ByteRange, parse_range
from oci.reference import Tag
from registry.errors import PreconditionFailed

# RFC 9110 8.8.3: entity-tag = [ weak ] opaque-tag; weak = %s"W/"
#   opaque-tag = DQUOTE *etagc DQUOTE; etagc = %x21 / %x23-7E / obs-text
# RFC 9110 13.1.1: If-Match = "*" / #entity-tag; a tag without quotes is read too.
_ENTITY_TAG = re.compile(
    r'(?:\A|,)[ \t]*+(W/)?+("[\x21\x23-\x7e\x80-\xff]*+"|[^\s,"]++)[ \t]*+(?=,|\Z)'
)


def etag(digest: Digest) -> str:
    return f'"{digest}"'


def has_conditions(headers: Headers) -> bool:
    return "if-match" in headers or "if-none-match" in headers


def is_not_modified(headers: Headers, digest: Digest) -> bool:
    """Whether the client has this content already, so that the response is 304.

    Raises PreconditionFailed if If-Match names another one.
    """
    require_match(headers, digest, digest)
    known = headers.get("if-none-match")
    return known is not None and _names(known, digest, weak=True)


def require_match(headers: Headers, reference: Tag | Digest, found: Digest | None) -> None:
    """Raise PreconditionFailed unless If-Match names the digest found."""
    expected = headers.get("if-match")
    if expected is not None and (found is None or not _names(expected, found, weak=False)):
        raise PreconditionFailed(reference, found)


def require_none(headers: Headers, reference: Tag | Digest, found: Digest | None) -> None:
    """Raise PreconditionFailed if If-None-Match names the digest found."""
    unwanted = headers.get("if-none-match")
    if unwanted is not None and found is not None and _names(unwanted, found, weak=True):
        raise PreconditionFailed(reference, found)


def requested_ranges(headers: Headers, digest: Digest, size: int) -> tuple[ByteRange, ...] | None:
    """The ranges of the content to send, or None for all of it.

    Raises RangeNotSatisfiable.
    """
    wanted = headers.get("range")
    if wanted is None:
        return None
    condition = headers.get("if-range")
    # A date never matches: content named by its digest has no modification time.
    if condition is not None and not _names(condition, digest, weak=False):
        return None
    return parse_range(wanted, size)


def _names(header: str, digest: Digest, *, weak: bool) -> bool:
    """Whether a list of entity tags, quoted or bare, names this digest; ``*`` names all.

    Weak tags count for the weak comparison only (RFC 9110 section 8.8.3.2).
    """
    names = ("*", str(digest), etag(digest))
    return any(
        found[2] in names and (weak or not found[1]) for found in _ENTITY_TAG.finditer(header)
    )
