"""Schemes: choose HTTPS or plain HTTP for each registry.

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

from runner.remote.transport.origin import DEFAULT_PORTS, Origin

_HANDSHAKE_SECONDS: Final = 2
# Time between attempts at a TLS handshake.
_RETRY_SECONDS: Final = 60


class Schemes:
    """The scheme of each registry.

    A loopback or insecure registry is tried by plain HTTP first.  If that is refused, a TLS
    handshake is tried, and HTTPS used from then on.  Its certificate is not verified, since
    plain HTTP would have been accepted too.
    """

    def __init__(self, insecure: Collection[str]) -> None:
        self.insecure = frozenset(insecure)
        self._tls: set[str] = set()
        self._plain: set[str] = set()
        self._tried: dict[str, float] = {}

    def origin(self, host: str) -> Origin:
        """The registry's server, with the scheme known so far."""
        found = Origin.of_registry(host, self.insecure)
        return _https_origin(found) if host in self._tls else found

    def is_checked(self, origin: Origin) -> bool:
        """Whether the server's certificate is verified."""
        return all(_https_origin(self.origin(host)) != origin for host in self._tls)

    async def speaks_tls(self, host: str) -> bool:
        """Try a TLS handshake, unless the registry has answered by plain HTTP."""
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
        """Record a response; False if it is an HTTPS server's reply to plain HTTP."""
        of_registry = response.headers.get("Content-Type", "").startswith("application/json")
        if response.status_code == HTTPStatus.BAD_REQUEST and not of_registry:
            self._plain.discard(host)
            return False
        self._plain.add(host)
        return True

    def current(self, host: str, url: httpx2.URL) -> httpx2.URL:
        """A URL of the registry with the scheme known so far."""
        origin = self.origin(host)
        if origin.scheme == url.scheme or _https_origin(Origin.of(url)) != origin:
            return url
        return url.copy_with(scheme=origin.scheme, port=origin.port)


def without_verification(context: ssl.SSLContext) -> ssl.SSLContext:
    """Make the context accept any certificate."""
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _https_origin(origin: Origin) -> Origin:
    """The same server by HTTPS; port 80 becomes 443."""
    port = DEFAULT_PORTS["https"] if origin.port == DEFAULT_PORTS["http"] else origin.port
    return replace(origin, scheme="https", port=port)
