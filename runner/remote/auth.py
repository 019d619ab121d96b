"""Authorizer: answer challenges with Basic, or a Bearer token from the token server.

https://distribution.github.io/distribution/spec/auth/token/ and …/auth/oauth/
"""

import asyncio
import base64
import json
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx2

from oci.http import Challenge
from runner.credentials import Credentials
from runner.errors import RunnerError, Unauthorized
from runner.remote.errors import RemoteUntrusted, refusal
from runner.remote.transport.origin import Origin

CLIENT_ID = "slipway-runner"
DEFAULT_EXPIRY_SECONDS = 60
MAX_EXPIRY_SECONDS = 24 * 3600
EXPIRY_MARGIN_SECONDS = 10
# Statuses by which token servers without OAuth2 answer its POST.
NO_OAUTH2 = frozenset({400, 404, 405})


@dataclass(frozen=True, slots=True)
class AuthResponse:
    """A token server's response."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Token:
    """A token, and when it expires (monotonic seconds)."""

    text: str
    expires: float


Ask = Callable[[str, httpx2.URL, Mapping[str, str], bytes], Awaitable[AuthResponse]]


class Authorizer:
    """One user's authorization at one registry, by the scheme of its first challenge.

    Tokens are cached per set of scopes until they expire.  Credentials are sent only to the
    registry's host and port and its configured token hosts; a challenge with another realm is
    refused before anything is sent there (rule C-14).
    """

    def __init__(
        self, origin: Origin, credentials: Credentials, auth_hosts: Collection[str], ask: Ask
    ) -> None:
        self._origin = origin
        self._credentials = credentials
        self._auth_hosts = auth_hosts
        self._ask = ask
        self._challenge: Challenge | None = None
        self._tokens: dict[frozenset[str], Token] = {}
        self._lock = asyncio.Lock()

    async def header(self, scopes: Collection[str]) -> str | None:
        """The Authorization header to send without a challenge, if known from earlier ones."""
        if self._credentials.registry_token:
            return f"Bearer {self._credentials.registry_token}"
        if self._challenge is None:
            return None
        if self._challenge.scheme.lower() == "basic":
            return self._basic()
        try:
            token = await self._token(self._challenge, frozenset(scopes))
        except RunnerError:
            # The registry may have changed its scheme: expect a challenge next time.
            self._challenge = None
            raise
        return f"Bearer {token.text}"

    async def answer(
        self, challenges: Collection[Challenge], scopes: Collection[str], refused: str | None
    ) -> str | None:
        """The header for a retry after ``refused`` got a 401; None if there is none."""
        challenge = self._choose(challenges)
        if challenge is None or self._credentials.registry_token:
            return None
        self._challenge = challenge
        if refused and refused.startswith("Bearer "):
            self._discard_token(refused.removeprefix("Bearer "))
        header = await self.header(scopes)
        return None if header == refused else header

    def _choose(self, challenges: Collection[Challenge]) -> Challenge | None:
        by_scheme = {challenge.scheme.lower(): challenge for challenge in challenges}
        if "bearer" in by_scheme:
            return by_scheme["bearer"]
        return by_scheme.get("basic") if self._credentials.username else None

    def _basic(self) -> str | None:
        if not self._credentials.username:
            return None
        pair = f"{self._credentials.username}:{self._credentials.password}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"

    def _discard_token(self, text: str) -> None:
        self._tokens = {key: kept for key, kept in self._tokens.items() if kept.text != text}

    async def _token(self, challenge: Challenge, scopes: frozenset[str]) -> Token:
        # One request at a time: an image's layers need the same token at once.
        async with self._lock:
            now = time.monotonic()
            self._tokens = {key: kept for key, kept in self._tokens.items() if kept.expires > now}
            kept = self._tokens.get(scopes)
            if kept is None:
                kept = self._tokens[scopes] = await self._fetch(challenge, sorted(scopes))
            return kept

    async def _fetch(self, challenge: Challenge, scopes: list[str]) -> Token:
        realm = self._realm(challenge)
        service = challenge.parameters.get("service", "")
        if self._credentials.identity_token:
            answer = await self._exchange(realm, service, scopes)
            if answer.status not in NO_OAUTH2:
                return self._read(answer)
        query: list[tuple[str, str | int | float | bool | None]] = []
        if service:
            query.append(("service", service))
        query += [("scope", scope) for scope in scopes]
        basic = self._basic()
        headers = {}
        if basic is not None:
            headers["Authorization"] = basic
            query.append(("account", self._credentials.username))
        answer = await self._ask("GET", realm.copy_merge_params(query), headers, b"")
        return self._read(answer)

    async def _exchange(self, realm: httpx2.URL, service: str, scopes: list[str]) -> AuthResponse:
        """Exchange the stored identity token for an access token (OAuth2)."""
        form = {
            "grant_type": "refresh_token",
            "refresh_token": self._credentials.identity_token,
            "service": service,
            "client_id": CLIENT_ID,
            "scope": " ".join(scopes),
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return await self._ask("POST", realm, headers, urlencode(form).encode())

    def _realm(self, challenge: Challenge) -> httpx2.URL:
        """The token endpoint; RemoteUntrusted if this registry's credentials may not go there."""
        text = challenge.parameters.get("realm", "")
        try:
            realm = httpx2.URL(text)
        except httpx2.InvalidURL as error:
            raise RemoteUntrusted(f"{self._origin}: token realm {text[:200]!r}: {error}") from error
        origin = Origin.of(realm)
        named = origin.authority in self._auth_hosts and origin.scheme == "https"
        if realm.userinfo or not (origin == self._origin or named):
            raise RemoteUntrusted(
                f"{self._origin} asks us to get a token from {text[:200]!r}, which is another "
                "server: list that host under auth_hosts if it belongs to this registry"
            )
        return realm

    def _read(self, answer: AuthResponse) -> Token:
        if answer.status != 200:
            raise refusal(str(self._origin), "give a token", answer.status, answer.body)
        try:
            document: Any = json.loads(answer.body)
        except (ValueError, RecursionError) as error:
            raise RemoteUntrusted(f"{self._origin}: the token answer is not JSON") from error
        fields = document if isinstance(document, dict) else {}
        text = fields.get("token") or fields.get("access_token")
        if not isinstance(text, str) or not text.isascii() or not text.isprintable():
            raise Unauthorized(f"{self._origin}: the token answer holds no token")
        seconds = fields.get("expires_in")
        if not isinstance(seconds, int | float) or not seconds > 0:
            seconds = DEFAULT_EXPIRY_SECONDS
        seconds = min(seconds, MAX_EXPIRY_SECONDS)
        return Token(text, time.monotonic() + seconds - EXPIRY_MARGIN_SECONDS)
