"""Origin: scheme, host and port of a server; which servers may be spoken to, and how."""

import asyncio
import ipaddress
from collections.abc import Collection
from dataclasses import dataclass
from typing import Self

import httpx2

from runner.remote.errors import RemoteUntrusted

DEFAULT_PORTS = {"http": 80, "https": 443}
# Docker Hub's name is not the name of its server; every client knows these two by heart.
ENDPOINTS = {"docker.io": "registry-1.docker.io", "index.docker.io": "registry-1.docker.io"}
AUTH_HOSTS = {"docker.io": ("auth.docker.io",), "index.docker.io": ("auth.docker.io",)}


@dataclass(frozen=True, slots=True)
class Origin:
    """One server: credentials given for it go to it, and to no other."""

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


async def check_hop(start: Origin, target: httpx2.URL, insecure: Collection[str]) -> None:
    """Refuse a redirect that ``start`` should not be able to send us on (rule SS-1).

    A registry may send us to another host for a blob; it may not make us speak plain HTTP where
    the user expects HTTPS, nor reach services that only this machine can reach.
    """
    if target.scheme not in DEFAULT_PORTS or not target.host:
        raise RemoteUntrusted(f"{start} redirects to {target}: expected an http or https URL")
    if target.userinfo:
        raise RemoteUntrusted(f"{start} redirects to a URL with credentials in it")
    origin = Origin.of(target)
    if origin == start:
        return
    if start.scheme == "https" and target.scheme == "http" and origin.authority not in insecure:
        raise RemoteUntrusted(f"{start} redirects to {origin}: expected https")
    if not is_loopback(start.host) and origin.authority not in insecure:
        await _refuse_private_services(start, origin)


async def _refuse_private_services(start: Origin, target: Origin) -> None:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(target.host, target.port)
    except OSError as error:
        raise RemoteUntrusted(f"{start} redirects to {target}: {error.strerror}") from error
    for *_, address in found:
        literal = ipaddress.ip_address(str(address[0]).partition("%")[0])
        if isinstance(literal, ipaddress.IPv6Address) and literal.ipv4_mapped:
            literal = literal.ipv4_mapped
        if literal.is_loopback or literal.is_link_local or literal.is_unspecified:
            raise RemoteUntrusted(
                f"{start} redirects to {target}, which is {literal}: "
                "a registry may not send us to services of this machine"
            )
