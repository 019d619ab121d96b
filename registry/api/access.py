"""Access: identify the caller, authorize the request, and create the repository it may reach.

Deny by default; no decision is cached between requests (rule AZ-10).

https://distribution.github.io/distribution/spec/auth/token/ describes the challenge of a 401
"""

import ipaddress
from functools import lru_cache

from starlette.requests import Request

from oci.errors import OCIError
from oci.reference import RepositoryName
from registry.auth.credentials import parse_credentials
from registry.auth.policy import ANONYMOUS, Access, Identity, Policy
from registry.errors import Unauthorized
from registry.services.repositories import Caller, Registry, Repository


class Authorizer:
    """Creates every Repository that a handler gets, and decides every access (rule AZ-1)."""

    def __init__(self, registry: Registry, policy: Policy) -> None:
        self._registry = registry
        self._policy = policy

    async def authorize(self, request: Request, access: Access) -> Registry:
        """The registry, for endpoints without a repository; raises Unauthorized."""
        self._require(_identify(request), access, "this registry")
        return self._registry

    async def authorize_in(self, request: Request, access: Access, name: str) -> Repository:
        """The repository of that name; raises Unauthorized or InvalidName."""
        identity = _identify(request)
        self._require(identity, access, "this repository")
        return self._registry.repository(
            RepositoryName.parse(name),
            identity.name,
            may_push=self._policy.allows(identity, "push"),
            caller=Caller(network_of(request), is_anonymous=identity.name == ANONYMOUS.name),
        )

    async def source(self, request: Request, name: str) -> Repository | None:
        """The repository to mount a blob from; None, without a reason, if not (rule AZ-5)."""
        try:
            return await self.authorize_in(request, "pull", name)
        except OCIError:
            return None

    def is_source(self, request: Request, name: RepositoryName) -> bool:
        """Whether a blob may be mounted from that repository."""
        return self._policy.allows(_identify(request), "pull")

    def _require(self, identity: Identity, access: Access, what: str) -> None:
        # 401 and never 403: clients with a token for less ask for more only at a challenge.
        if not self._policy.allows(identity, access):
            raise Unauthorized(
                f"{identity.name} callers may not {access} in {what}, "
                "and no identities are configured yet: its operator decides with --anonymous"
            )


def _identify(request: Request) -> Identity:
    """The caller's identity: there are no accounts yet, so it is the anonymous one.

    Credentials are checked for form and otherwise ignored: a client that sends an old token may do
    as much as one without.
    """
    if any(name == b"authorization" for name, _ in request.scope["headers"]):
        parse_credentials(request.headers.getlist("authorization"))
    return ANONYMOUS


def network_of(request: Request) -> str:
    """The network of the connected client: an IPv4 address, or the /64 of an IPv6 address.

    A host owns a whole /64, and may use another address of it for every request.  Behind a proxy it
    is the proxy's network.
    """
    client = request.scope.get("client")
    return "" if client is None else _network_of_host(client[0])


# Parsing an address took 7 % of the CPU of a small GET: a client sends many requests.
@lru_cache(maxsize=4096)
def _network_of_host(host: str) -> str:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))
