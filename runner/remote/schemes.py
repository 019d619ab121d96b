"""Schemes: HTTPS for every registry, and plain HTTP for those that may be spoken to so.

https://docs.docker.com/reference/cli/dockerd/#insecure-registries
"""

import asyncio
import ssl
import time
from collections.abc import Collection
from dataclasses import replace
from http import HTTPStatus
from typing import Final

import httpx2

from runner.remote.origin import DEFAULT_PORTS, Origin

_HANDSHAKE_SECONDS: Final = 2
# After a handshake that came to nothing, none is tried for so long.
_RETRY_SECONDS: Final = 60


class Schemes:
    """Which scheme each registry speaks.

    A loopback host, or one listed as insecure, is asked in plain HTTP first, which costs it no
    second connection.  Where that is refused a TLS handshake is tried, and HTTPS spoken from
    then on: with a certificate that nobody checks, as plain HTTP would have been taken as well.
    """

    def __init__(self, insecure: Collection[str]) -> None:
        self.insecure = frozenset(insecure)
        self._tls: set[str] = set()
        self._plain: set[str] = set()
        self._tried: dict[str, float] = {}

    def origin(self, host: str) -> Origin:
        """The registry's server, as far as is known now."""
        found = Origin.of_registry(host, self.insecure)
        return _https_origin(found) if host in self._tls else found

    def is_checked(self, origin: Origin) -> bool:
        """Whether the server's certificate must be one that we trust."""
        return all(_https_origin(self.origin(host)) != origin for host in self._tls)

    async def speaks_tls(self, host: str) -> bool:
        """Try a handshake with a registry that has never answered in plain HTTP."""
        now = time.monotonic()
        known = host in self._plain or self.origin(host).scheme == "https"
        if known or now - self._tried.get(host, -_RETRY_SECONDS) < _RETRY_SECONDS:
            return False
        self._tried[host] = now
        origin = _https_origin(self.origin(host))
        try:
            async with asyncio.timeout(_HANDSHAKE_SECONDS):
                _, writer = await asyncio.open_connection(
                    origin.host, origin.port, ssl=without_verification(ssl.create_default_context())
                )
        except (OSError, TimeoutError):
            return False
        writer.close()
        self._tls.add(host)
        return True

    def record_response(self, host: str, response: httpx2.Response) -> bool:
        """Note an answer; False if it is one that servers of HTTPS give to plain HTTP."""
        of_registry = response.headers.get("Content-Type", "").startswith("application/json")
        if response.status_code == HTTPStatus.BAD_REQUEST and not of_registry:
            self._plain.discard(host)
            return False
        self._plain.add(host)
        return True

    def current(self, host: str, url: httpx2.URL) -> httpx2.URL:
        """A URL of the registry, with the scheme that is known by now."""
        origin = self.origin(host)
        if origin.scheme == url.scheme or _https_origin(Origin.of(url)) != origin:
            return url
        return url.copy_with(scheme=origin.scheme, port=origin.port)


def without_verification(context: ssl.SSLContext) -> ssl.SSLContext:
    """The same context, which takes any certificate."""
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _https_origin(origin: Origin) -> Origin:
    """The same server by HTTPS: on its own port, or on HTTPS's for HTTP's."""
    port = DEFAULT_PORTS["https"] if origin.port == DEFAULT_PORTS["http"] else origin.port
    return replace(origin, scheme="https", port=port)
