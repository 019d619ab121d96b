"""Issuers: their keys, fetched from configured addresses only, and kept for a while (rule SS-1).

https://openid.net/specs/openid-connect-discovery-1_0.html
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

import httpx2

from registry.auth.oidc.addresses import refusal_of
from registry.auth.oidc.keys import Key, Keys, TokenRefused, parse_discovery, parse_keys
from registry.storage.clock import Clock

TIMEOUT_SECONDS: Final = 5.0
MAX_BYTES: Final = 256 * 1024
MAX_ADDRESSES: Final = 4
CONNECT_SECONDS: Final = 2.0
DISCOVERY: Final = "/.well-known/openid-configuration"

# Keys of this age are fetched again; where that fails, they count until they are stale.
FRESH_MS: Final = 3_600_000
STALE_MS: Final = 86_400_000
# The least time between two fetches: for an unknown id, and while there are no fresh keys.
REFETCH_MS: Final = 60_000
RETRY_MS: Final = 10_000


@dataclass(slots=True)
class _Kept:
    """The keys of one issuer, and the times of the last fetches; monotonic milliseconds."""

    keys: Keys = field(default_factory=dict)
    fetched_at: int | None = None
    tried_at: int | None = None
    problem: str = ""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Issuers:
    """The keys of issuers.

    ``loopback``: fetch from this machine, and without TLS; for tests.
    """

    def __init__(
        self, clock: Clock, *, loopback: bool = False, timeout: float = TIMEOUT_SECONDS
    ) -> None:
        self._clock = clock
        self._loopback = loopback
        self._timeout = timeout
        self._kept: dict[tuple[str, bool], _Kept] = {}
        self._tls: ssl.SSLContext | None = None

    async def key(self, issuer: str, key_id: str, *, private: bool) -> Key:
        """The key of that id.  Raises TokenRefused.

        The caller has made sure that a trust names the issuer.  ``private``: it may be on a
        private network.
        """
        kept = self._kept.setdefault((issuer, private), _Kept())
        if key_id not in kept.keys or not self._is_younger(kept.fetched_at, FRESH_MS):
            async with kept.lock:
                await self._refresh(kept, issuer, key_id, private)
        if not self._is_younger(kept.fetched_at, STALE_MS):
            raise TokenRefused(f"the issuer's keys cannot be fetched: {kept.problem}")
        found = kept.keys.get(key_id)
        if found is None:
            raise TokenRefused("the kid in the header is none of the issuer's keys")
        return found

    async def _refresh(self, kept: _Kept, issuer: str, key_id: str, private: bool) -> None:
        """Fetch the keys, unless another caller did or the last fetch is too recent."""
        if key_id in kept.keys and self._is_younger(kept.fetched_at, FRESH_MS):
            return
        least = REFETCH_MS if self._is_younger(kept.fetched_at, FRESH_MS) else RETRY_MS
        if self._is_younger(kept.tried_at, least):
            return
        kept.tried_at = self._clock.monotonic_ms()
        try:
            kept.keys = await self._fetch_keys(issuer, private)
        except TokenRefused as error:
            kept.problem = str(error)
        else:
            kept.problem, kept.fetched_at = "", self._clock.monotonic_ms()

    async def _fetch_keys(self, issuer: str, private: bool) -> Keys:
        """Raises TokenRefused."""
        try:
            async with asyncio.timeout(self._timeout):
                found = await self._get(httpx2.URL(issuer.rstrip("/") + DISCOVERY), private)
                address = httpx2.URL(parse_discovery(found, issuer))
                # Another host than the one that the operator named is never a private one.
                is_own = address.host == httpx2.URL(issuer).host
                return parse_keys(await self._get(address, private and is_own))
        except TimeoutError:
            raise TokenRefused(f"no answer in {self._timeout:g} seconds") from None
        except httpx2.InvalidURL:
            raise TokenRefused("its jwks_uri is no URL") from None
        except httpx2.HTTPError as error:
            raise TokenRefused(f"{type(error).__name__}") from None

    async def _get(self, url: httpx2.URL, private: bool) -> bytes:
        """A body, from one of the addresses that were judged; redirects are not followed."""
        is_plain = self._loopback and url.scheme == "http"
        if (url.scheme != "https" and not is_plain) or not url.host or url.userinfo:
            raise TokenRefused("expected an https URL of the issuer, without credentials")
        addresses = await self._resolve(url, private)
        verify: ssl.SSLContext | bool = False if is_plain else await self._context()
        # trust_env: a proxy would resolve the name again, and .netrc has credentials.
        async with httpx2.AsyncHTTPTransport(verify=verify, trust_env=False) as transport:
            for address in addresses[:-1]:
                try:
                    return await self._read(transport, url, address)
                except (httpx2.ConnectError, httpx2.ConnectTimeout):
                    continue
            return await self._read(transport, url, addresses[-1])

    async def _read(
        self, transport: httpx2.AsyncHTTPTransport, url: httpx2.URL, address: str
    ) -> bytes:
        seconds = self._timeout
        request = httpx2.Request(
            "GET",
            url.copy_with(host=address),
            headers={
                "Host": url.netloc.decode("ascii"),
                "Accept": "application/json",
                "Accept-Encoding": "identity",
                "User-Agent": "slipway-registry",
            },
            extensions={
                "sni_hostname": url.raw_host.decode("ascii"),
                "timeout": {
                    "connect": min(CONNECT_SECONDS, seconds),
                    "read": seconds,
                    "write": seconds,
                    "pool": seconds,
                },
            },
        )
        response = await transport.handle_async_request(request)
        try:
            if response.status_code != HTTPStatus.OK:
                raise TokenRefused(f"the issuer answers {response.status_code}, expected 200")
            if response.headers.get("content-encoding", "identity") != "identity":
                raise TokenRefused("the issuer's answer is compressed, expected it plain")
            content = bytearray()
            async for chunk in response.aiter_raw():
                content += chunk
                if len(content) > MAX_BYTES:
                    raise TokenRefused(f"the issuer's answer is longer than {MAX_BYTES} bytes")
            return bytes(content)
        finally:
            await response.aclose()

    async def _resolve(self, url: httpx2.URL, private: bool) -> list[str]:
        """The addresses of a host: each one must be allowed, or none is connected to."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(
                url.raw_host.decode("ascii").strip("[]"),
                url.port or (443 if url.scheme == "https" else 80),
                type=socket.SOCK_STREAM,
            )
        except (OSError, UnicodeError):
            raise TokenRefused(f"the name {url.host} has no address") from None
        addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
        for address in addresses:
            refusal = refusal_of(address, private=private, loopback=self._loopback)
            if refusal:
                raise TokenRefused(f"the name {url.host} stands for an address: {refusal}")
        return addresses[:MAX_ADDRESSES]

    async def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            # In a thread: reading the certificates takes tens of milliseconds.
            self._tls = await asyncio.to_thread(ssl.create_default_context)
        return self._tls

    def _is_younger(self, since: int | None, age_ms: int) -> bool:
        return since is not None and self._clock.monotonic_ms() - since < age_ms
