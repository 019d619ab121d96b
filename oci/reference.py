"""Reference: ``[host/]name[:tag][@digest]``, with RepositoryName and Tag.

Each part is matched whole, in ASCII and in linear time (rule IN-1).

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests
https://github.com/distribution/reference/blob/main/reference.go has docker's grammar of hosts
"""

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Self

from oci import docker_hub
from oci.digest import Digest
from oci.errors import ErrorCode, OCIError, quoted

MAX_NAME = 255
MAX_TAG = 128
MAX_HOST = 255

# Distribution spec, "Pulling manifests": <name> must match
#   [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*
# Possessive quantifiers never backtrack, so matching takes linear time.
_COMPONENT = r"[a-z0-9]++(?:(?:\.|__?+|-++)[a-z0-9]++)*+"
_NAME = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*+", re.ASCII)
# The same: <reference> as a tag must be at most 128 characters, and match
#   [a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}", re.ASCII)
# distribution/reference: domain = host [ ":" port-number ]; port-number = /[0-9]+/
#   host = domain-name | IPv4address | \[ IPv6address \]
#   domain-name = domain-component [ "." domain-component ]*
#   domain-component = /([a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])/
# RFC 1035 2.3.4: a label has 63 octets or less.
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_HOST = re.compile(
    rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:.]{{2,45}}\])(?::[0-9]{{1,5}})?", re.ASCII
)


class InvalidName(OCIError):
    """The text is not a repository name."""

    code = ErrorCode.NAME_INVALID


class InvalidTag(OCIError):
    """The text is not a tag.  The spec has no error code for this case."""

    code = ErrorCode.MANIFEST_INVALID


@dataclass(frozen=True, slots=True, order=True)
class RepositoryName:
    """A repository's name within a registry: lower-case components joined by slashes.

    >>> str(RepositoryName.parse("team/app"))
    'team/app'
    """

    text: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a name, or raise InvalidName."""
        return cls(_name(text))

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, order=True)
class Tag:
    """A mutable name for one manifest of a repository."""

    text: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a tag, or raise InvalidTag."""
        return cls(_tag(text))

    def __str__(self) -> str:
        return self.text


LATEST = Tag("latest")


def parse_tag_or_digest(text: str) -> Tag | Digest:
    """Parse the spec's ``<tag-or-digest>``: a digest if the text contains a colon, else a tag."""
    return Digest.parse(text) if ":" in text else Tag.parse(text)


@dataclass(frozen=True, slots=True)
class Reference:
    """A repository of a registry, with a tag, a digest or both.

    With both, the digest decides and the tag is informative.  With neither, the tag is
    ``latest``.

    >>> str(Reference.parse("alpine", default_host="registry.test"))
    'registry.test/alpine:latest'
    >>> str(Reference.parse("docker.io/alpine:3", default_host="registry.test"))
    'docker.io/library/alpine:3'
    """

    host: str
    name: RepositoryName
    tag: Tag | None
    digest: Digest | None

    @classmethod
    def parse(cls, text: str, *, default_host: str) -> Self:
        """Parse a reference; raises InvalidName, InvalidTag or InvalidDigest for a part of it."""
        rest, at, digest_text = text.partition("@")
        digest = Digest.parse(digest_text) if at else None

        host, slash, name_text = rest.partition("/")
        if not slash or not _looks_like_host(host):
            host, name_text = default_host, rest
        host = parse_host(host)

        name_text, colon, tag_text = name_text.partition(":")
        tag = Tag.parse(tag_text) if colon else None
        if tag is None and digest is None:
            tag = LATEST
        if host in docker_hub.NAMES:
            host = docker_hub.DOCKER_HUB
            name_text = name_text if "/" in name_text else f"library/{name_text}"
        return cls(host, RepositoryName.parse(name_text), tag, digest)

    def __str__(self) -> str:
        return f"{self.host}/{self.name}{self._suffix()}"

    @property
    def target(self) -> Tag | Digest:
        """The digest if there is one, else the tag."""
        if self.digest is not None:
            return self.digest
        return self.tag or LATEST

    def familiar(self, default_host: str) -> str:
        """The shortest text that parses back to this reference: docker's FamiliarString."""
        name = str(self.name)
        if (
            self.host == docker_hub.DOCKER_HUB
            and name.startswith("library/")
            and name.count("/") == 1
        ):
            name = name.removeprefix("library/")
        short = f"{name}{self._suffix()}"
        if _parses_as(short, default_host, self):
            return short
        return f"{self.host}/{short}"

    def with_digest(self, digest: Digest) -> "Reference":
        """The same reference with this digest."""
        return replace(self, digest=digest)

    def _suffix(self) -> str:
        tag = f":{self.tag}" if self.tag is not None else ""
        digest = f"@{self.digest}" if self.digest is not None else ""
        return tag + digest


def parse_host(text: str) -> str:
    """Check a registry's ``host[:port]`` and return it, or raise InvalidName."""
    if len(text) > MAX_HOST or not _HOST.fullmatch(text):
        raise InvalidName(f"invalid registry host {quoted(text)}: expected host or host:port")
    return text


def _looks_like_host(text: str) -> bool:
    # distribution/reference, splitDockerDomain: the part before the first slash is a name, unless
    # it has a dot, a colon or an upper-case letter, or is "localhost".
    return "." in text or ":" in text or text == "localhost" or text != text.lower()


def _parses_as(text: str, default_host: str, reference: Reference) -> bool:
    try:
        return Reference.parse(text, default_host=default_host) == reference
    except OCIError:
        return False


@lru_cache(maxsize=4096)
def _name(text: str) -> str:
    if len(text) > MAX_NAME:
        raise InvalidName(
            f"invalid repository name {quoted(text)}: {len(text)} characters, "
            f"expected at most {MAX_NAME}"
        )
    if not _NAME.fullmatch(text):
        raise InvalidName(
            f"invalid repository name {quoted(text)}: expected lower-case letters and digits, "
            "joined by '.', '_', '__', '-' or '/'"
        )
    return text


@lru_cache(maxsize=4096)
def _tag(text: str) -> str:
    if len(text) > MAX_TAG:
        raise InvalidTag(
            f"invalid tag {quoted(text)}: {len(text)} characters, expected at most {MAX_TAG}"
        )
    if not _TAG.fullmatch(text):
        raise InvalidTag(
            f"invalid tag {quoted(text)}: expected letters, digits, '_', '.' and '-', "
            "not starting with '.' or '-'"
        )
    return text
