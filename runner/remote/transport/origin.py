"""Origin: scheme, host and port of a server; checks of redirects."""

import asyncio
import ipaddress
import socket
from collections.abc import Collection
from dataclasses import dataclass
from typing import Self

import httpx2

from oci import docker_hub
from runner.remote.errors import RemoteUntrusted
from runner.remote.transport.pinned import Addresses

DEFAULT_PORTS = {"http": 80, "https": 443}
ENDPOINTS = dict.fromkeys(docker_hub.NAMES, docker_hub.SERVER)
AUTH_HOSTS = dict.fromkeys(docker_hub.NAMES, (docker_hub.AUTH_SERVER,))


@dataclass(frozen=True, slots=True)
class Origin:
    """One server: credentials given for it are sent only to it."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: httpx2.URL) -> Self:
        return cls(url.scheme, url.host, url.port or DEFAULT_PORTS.get(url.scheme, 0))

    @classmethod
    def of_registry(cls, host: str, insecure: Collection[str] = ()) -> Self:
        """The server of a reference's host: HTTPS, unless the host is loopback or listed."""
        server = ENDPOINTS.get(host, host)
        url = httpx2.URL(f"https://{server}")
        if host in insecure or is_loopback(url.host):
            url = httpx2.URL(f"http://{server}")
        return cls.of(url)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS.get(self.scheme) else f"{host}:{self.port}"


def is_loopback(host: str) -> bool:
    """Whether ``host`` can only be this machine: ``localhost``, or a literal loopback address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def check_hop(
    start: Origin,
    target: httpx2.URL,
    insecure: Collection[str],
    reached: Addresses | None = None,
) -> Addresses | None:
    """Check a redirect by ``start``, or raise RemoteUntrusted (rule SS-1).

    A registry may redirect a blob to another host, but not from HTTPS to plain HTTP, nor to
    services that only this machine can reach.

    Returns the addresses to connect to: resolving the name again could give others
    (https://en.wikipedia.org/wiki/DNS_rebinding).  None means any, for hosts the user named.
    ``reached`` is the result for the hop that led to ``start``; it holds while ``start``
    redirects to itself.
    """
    if target.scheme not in DEFAULT_PORTS or not target.host:
        raise RemoteUntrusted(f"{start} redirects to {target}: expected an http or https URL")
    if target.userinfo:
        raise RemoteUntrusted(f"{start} redirects to a URL with credentials in it")
    origin = Origin.of(target)
    if origin == start:
        return reached
    if start.scheme == "https" and target.scheme == "http" and origin.authority not in insecure:
        raise RemoteUntrusted(f"{start} redirects to {origin}: expected https")
    if origin.authority in insecure:
        return None
    addresses = await _resolve(start, origin)
    _refuse_private_services(start, origin, addresses)
    return addresses


async def _resolve(start: Origin, target: Origin) -> Addresses:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise RemoteUntrusted(f"{start} redirects to {target}: {error.strerror}") from error
    return tuple(str(address[0]).partition("%")[0] for *_, address in found)


def _refuse_private_services(start: Origin, target: Origin, addresses: Addresses) -> None:
    """Refuse loopback and link-local addresses.

    Only a registry on this machine may redirect to loopback; none may redirect to link-local
    addresses, where clouds serve an instance's keys.
    """
    local = is_loopback(start.host)
    for address in addresses:
        literal = ipaddress.ip_address(address)
        if isinstance(literal, ipaddress.IPv6Address) and literal.ipv4_mapped:
            literal = literal.ipv4_mapped
        of_this_machine = literal.is_loopback or literal.is_unspecified
        if literal.is_link_local or (of_this_machine and not local):
            raise RemoteUntrusted(
                f"{start} redirects to {target}, which is {literal}: "
                "a registry may not send us to services of this machine"
            )
