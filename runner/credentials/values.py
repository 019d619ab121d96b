"""Credentials, as an ``auths`` entry and as the X-Registry-Auth header.

https://docs.docker.com/engine/api/v1.44/#section/Authentication
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from oci import docker_hub
from oci.document import parse_json


class CredentialsInvalid(Exception):
    """A credentials file, a helper's answer or a header is invalid."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user name and password for one registry, or a token in their place."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    registry_token: str = field(default="", repr=False)

    def __bool__(self) -> bool:
        return bool(self.username or self.identity_token or self.registry_token)

    @classmethod
    def from_entry(cls, entry: object, where: str) -> Self:
        """Parse one value of ``auths``."""
        if not isinstance(entry, dict):
            raise CredentialsInvalid(f"{where}: found {type(entry).__name__}, expected an object")
        username, password = text(entry, "username", where), text(entry, "password", where)
        if auth := text(entry, "auth", where):
            username, password = _decode_pair(auth, where)
        return cls(
            username=username,
            password=password,
            identity_token=text(entry, "identitytoken", where),
            registry_token=_header_text(entry, "registrytoken", where),
        )

    def to_entry(self) -> dict[str, str]:
        """The value of ``auths``, as all clients read it."""
        entry = {}
        if self.username or self.password:
            pair = f"{self.username}:{self.password}".encode()
            entry["auth"] = base64.b64encode(pair).decode()
        if self.identity_token:
            entry["identitytoken"] = self.identity_token
        if self.registry_token:
            entry["registrytoken"] = self.registry_token
        return entry

    @classmethod
    def from_header(cls, header: str, host: str = "") -> Self:
        """Parse X-Registry-Auth: base64url, padded or not, of a JSON object.

        An empty header gives empty credentials.  So does a ``serveraddress`` other than ``host``,
        if given: those credentials must not be sent there.
        """
        if not header.strip():
            return cls()
        try:
            padded = header.strip() + "=" * (-len(header.strip()) % 4)
            document = parse_json(base64.b64decode(padded, altchars=b"-_").decode())
        except ValueError as error:
            raise CredentialsInvalid(f"X-Registry-Auth is not base64 of JSON: {error}") from error
        entry = document or {}
        found = cls.from_entry(entry, "X-Registry-Auth")
        assert isinstance(entry, dict)
        meant = text(entry, "serveraddress", "X-Registry-Auth")
        return found if not (host and meant) or server(meant) == server(host) else cls()

    def to_header(self, host: str) -> str:
        """Format X-Registry-Auth for requests about ``host``."""
        document = {
            "username": self.username,
            "password": self.password,
            "identitytoken": self.identity_token,
            "registrytoken": self.registry_token,
            "serveraddress": host,
        }
        kept = {key: value for key, value in document.items() if value}
        return base64.urlsafe_b64encode(json.dumps(kept).encode()).decode()


def canonical(key: str) -> str:
    """Normalize an ``auths`` key to host or host/path: no scheme, version or final slash."""
    bare = key.removeprefix("https://").removeprefix("http://").rstrip("/")
    for version in ("/v1", "/v2"):
        bare = bare.removesuffix(version)
    return docker_hub.DOCKER_HUB if bare in docker_hub.NAMES else bare


def server(address: str) -> str:
    """The host in a server address."""
    return canonical(canonical(address).partition("/")[0]).lower()


def text(entry: Mapping[str, object], key: str, where: str) -> str:
    """The string under ``key``; "" if absent or null."""
    value = entry.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise CredentialsInvalid(f"{where}: {key} is {type(value).__name__}, expected a string")
    return value


def _header_text(entry: Mapping[str, object], key: str, where: str) -> str:
    """The string under ``key``, which is sent in a header as it is."""
    value = text(entry, key, where)
    if not (value.isascii() and value.isprintable()):
        raise CredentialsInvalid(f"{where}: {key} has a character that no header may have")
    return value


def _decode_pair(auth: str, where: str) -> tuple[str, str]:
    try:
        # Some tools break the line after 76 characters, as MIME does.
        joined = auth.replace("\r", "").replace("\n", "").strip()
        pair = base64.b64decode(joined, validate=True).decode()
    except ValueError as error:
        raise CredentialsInvalid(f"{where}: auth is not base64 of user:password") from error
    username, colon, password = pair.partition(":")
    if not colon:
        raise CredentialsInvalid(f"{where}: auth has no colon between user and password")
    # Old docker versions padded passwords with NUL bytes.
    return username, password.strip("\0")
