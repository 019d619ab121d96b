"""RegistryClients: one connection pool per server; every redirect is checked.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md
"""

from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus

import httpx2

from oci.reference import RepositoryName
from runner.credentials import Credentials
from runner.errors import Unavailable
from runner.remote.auth import Authorizer, AuthResponse
from runner.remote.errors import RemoteUntrusted
from runner.remote.retry import RetryPolicy
from runner.remote.schemes import Schemes, without_verification
from runner.remote.transport.origin import AUTH_HOSTS, Origin, check_hop
from runner.remote.transport.pinned import Addresses, PinnedTransport, environment_proxy, pin
from runner.remote.transport.pools import Pools
from runner.remote.transport.tls import plaintext_context, tls_context, trust_state
from runner.remote.wire import (
    RESPONSE_SECONDS,
    challenges,
    check_status,
    location,
    read_limited,
    send,
)

MAX_HOPS = 5
# One for each server and credentials; each has tokens.
MAX_AUTHORIZERS = 128
USER_AGENT = "slipway-runner"
TIMEOUT = httpx2.Timeout(connect=15, read=60, write=60, pool=None)
LIMITS = httpx2.Limits(max_connections=16, max_keepalive_connections=8, keepalive_expiry=60)
REDIRECTS = frozenset({301, 302, 303, 307, 308})
SAFE_METHODS = frozenset({"GET", "HEAD"})

Body = Callable[[], AsyncIterator[bytes]]


@dataclass(frozen=True, slots=True)
class Request:
    """One request to a registry.  ``body`` returns a new stream for each attempt."""

    method: str
    url: httpx2.URL
    action: str
    scopes: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body | bytes | None = None


class RegistryClients:
    """Connection pools, one per server, until ``aclose``; the most recently used are kept.

    Loopback and insecure registries use plain HTTP unless they speak TLS; all others HTTPS.
    """

    def __init__(
        self,
        insecure: Collection[str] = (),
        auth_hosts: Mapping[str, Collection[str]] | None = None,
        retry_policy: RetryPolicy | None = None,
    ) -> None:
        self.retry_policy = retry_policy or RetryPolicy()
        self.schemes = Schemes(insecure)
        self._auth_hosts = {**AUTH_HOSTS, **(auth_hosts or {})}
        self._pools = Pools()
        # The least recently used one first.
        self._authorizers: dict[tuple[Origin, Credentials], Authorizer] = {}

    def registry(self, host: str, credentials: Credentials | None = None) -> "RemoteRegistry":
        return RemoteRegistry(self, host, credentials or Credentials())

    def repository(
        self, host: str, name: RepositoryName, credentials: Credentials | None = None
    ) -> "RemoteRepository":
        return RemoteRepository(self.registry(host, credentials), name)

    def authorizer(self, host: str, credentials: Credentials) -> Authorizer:
        origin = self.schemes.origin(host)
        key = (origin, credentials)
        found = self._authorizers.pop(key, None) or Authorizer(
            origin,
            credentials,
            self._auth_hosts.get(host, ()),
            self._ask,
        )
        self._authorizers[key] = found
        if len(self._authorizers) > MAX_AUTHORIZERS:
            del self._authorizers[next(iter(self._authorizers))]
        return found

    def pool(
        self, origin: Origin, *, pinned: bool = False
    ) -> AbstractAsyncContextManager[httpx2.AsyncClient]:
        """The server's pool, open inside the block.

        A ``pinned`` one resolves no names and accepts only pinned requests.  A new certificate
        authority makes a new pool; the old one is closed with its last request.
        """
        trust = trust_state(origin.authority) if origin.scheme == "https" else ()
        return self._pools.use(
            (origin, pinned), trust, partial(self._make_pool, origin, pinned=pinned)
        )

    async def aclose(self) -> None:
        await self._pools.aclose()

    def _make_pool(self, origin: Origin, *, pinned: bool) -> httpx2.AsyncClient:
        secure = origin.scheme == "https"
        checked = self.schemes.is_checked(origin)
        # Plain HTTP needs no proxy, and loading certificates would take 30 ms.
        verify = tls_context(origin.authority) if secure else plaintext_context()
        if not checked:
            verify = without_verification(verify)
        # A proxy resolves the name itself, and cannot reach this host's services.
        proxy = environment_proxy(origin.host) if pinned and secure else None
        direct = pinned and proxy is None
        return httpx2.AsyncClient(
            timeout=TIMEOUT,
            limits=LIMITS,
            follow_redirects=False,
            trust_env=secure and checked and not pinned,
            verify=verify,
            proxy=proxy,
            transport=PinnedTransport(verify=verify, limits=LIMITS) if direct else None,
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
        )

    async def _ask(
        self, method: str, url: httpx2.URL, headers: Mapping[str, str], content: bytes
    ) -> AuthResponse:
        """Send a request to a token endpoint; redirects are not followed."""
        async with self.pool(Origin.of(url)) as pool:
            request = pool.build_request(method, url, headers=dict(headers), content=content)
            async with send(pool, request, "give a token", RESPONSE_SECONDS) as response:
                return AuthResponse(response.status_code, await read_limited(response))


class RemoteRegistry:
    """One registry with one user's credentials."""

    def __init__(self, clients: RegistryClients, host: str, credentials: Credentials) -> None:
        self.host = host
        self.credentials = credentials
        self.retry_policy = clients.retry_policy
        self._clients = clients

    @property
    def _origin(self) -> Origin:
        return self._clients.schemes.origin(self.host)

    def url(self, path: str) -> httpx2.URL:
        origin = self._origin
        return httpx2.URL(f"{origin.scheme}://{origin.authority}{path}")

    def owns(self, url: httpx2.URL) -> bool:
        """Whether the URL is on this registry's own host and port."""
        return Origin.of(url) == self._origin

    @asynccontextmanager
    async def exchange(self, request: Request) -> AsyncIterator[httpx2.Response]:
        """Send the request, authorized; yields the response, whatever its status.

        Raises Unavailable if the server cannot be reached.
        """
        async with AsyncExitStack() as stack:
            yield await self._answer(request, stack)

    async def _answer(self, request: Request, stack: AsyncExitStack) -> httpx2.Response:
        """Send the request; retried once by HTTPS if the registry turns out to speak TLS."""
        try:
            return await self._authorized(request, stack)
        except Unavailable:
            if not await self._clients.schemes.speaks_tls(self.host):
                raise
        return await self._authorized(request, stack)

    async def _authorized(self, request: Request, stack: AsyncExitStack) -> httpx2.Response:
        schemes = self._clients.schemes
        url = schemes.current(self.host, request.url)
        if not self.owns(url):
            raise RemoteUntrusted(f"{self.host} sends us to {Origin.of(url)} for an upload")
        authorizer = self._clients.authorizer(self.host, self.credentials)
        header = await authorizer.header(request.scopes)
        response = await stack.enter_async_context(self._send(request, url, header))
        if not schemes.record_response(self.host, response) and await schemes.speaks_tls(self.host):
            await response.aclose()
            return await self._authorized(request, stack)
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            offered = challenges(response)
            header = await authorizer.answer(offered, request.scopes, header)
            if header is not None:
                await response.aclose()
                again = self._send(request, url, header)
                response = await stack.enter_async_context(again)
        return await self._follow(request, response, header, stack)

    async def _follow(
        self,
        request: Request,
        response: httpx2.Response,
        header: str | None,
        stack: AsyncExitStack,
    ) -> httpx2.Response:
        hops = 0
        addresses: Addresses | None = None
        while response.status_code in REDIRECTS and request.method in SAFE_METHODS:
            hops += 1
            if hops > MAX_HOPS:
                raise RemoteUntrusted(f"{self.host}: more than {MAX_HOPS} redirects")
            target = location(self.host, response)
            start = Origin.of(response.url)
            addresses = await check_hop(start, target, self._clients.schemes.insecure, addresses)
            await response.aclose()
            if not self.owns(target):
                header = None
            hop = self._send(request, target, header, addresses)
            response = await stack.enter_async_context(hop)
        return response

    @asynccontextmanager
    async def _send(
        self,
        request: Request,
        url: httpx2.URL,
        header: str | None,
        addresses: Addresses | None = None,
    ) -> AsyncIterator[httpx2.Response]:
        headers = dict(request.headers)
        if header is not None:
            headers["Authorization"] = header
        content = request.body() if callable(request.body) else request.body
        # No limit for requests with a body; others must get a response soon.
        limit = None if callable(request.body) else RESPONSE_SECONDS
        async with self._clients.pool(Origin.of(url), pinned=addresses is not None) as pool:
            built = pool.build_request(request.method, url, headers=headers, content=content)
            if addresses is not None:
                pin(built, addresses)
            async with send(pool, built, request.action, limit) as response:
                yield response


@dataclass(frozen=True, slots=True)
class RemoteRepository:
    """One repository of a registry, with one user's credentials."""

    registry: RemoteRegistry
    name: RepositoryName

    def url(self, path: str) -> httpx2.URL:
        return self.registry.url(f"/v2/{self.name}/{path}")

    def scope(self, actions: str) -> str:
        return f"repository:{self.name}:{actions}"

    def __str__(self) -> str:
        return f"{self.registry.host}/{self.name}"


async def check_login(registry: RemoteRegistry) -> bool:
    """Check the credentials with the registry; raises Unauthorized if refused.

    Returns False if the registry requires none, so that they remain unchecked.
    """
    request = Request("GET", registry.url("/v2/"), "log in")
    async with registry.exchange(request) as response:
        await check_status(registry.host, request.action, response, (200,))
        return "Authorization" in response.request.headers
