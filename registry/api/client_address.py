"""Client address: of the connection, or as a trusted proxy forwards it.

https://www.rfc-editor.org/rfc/rfc7239 describes the header that X-Forwarded-For became.
"""

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

from starlette.types import Scope

from registry.config import IPNetwork

_FORWARDED_FOR = b"x-forwarded-for"
_FORWARDED_PROTO = b"x-forwarded-proto"
# More addresses than this in one header is no chain of proxies.
_MAX_HOPS = 20


def apply_forwarded(scope: Scope, trusted: Sequence[IPNetwork]) -> None:
    """Replace the request's client and scheme by those that a trusted proxy forwards.

    The client is the last address that is no trusted proxy's: all before it came from the client
    itself, and may be anything.  Without a trusted proxy the headers mean nothing (rule HT-2).
    """
    client = scope.get("client")
    if client is None or not _is_trusted(client[0], trusted):
        return
    found: list[bytes] = []
    for name, value in scope["headers"]:
        if name == _FORWARDED_FOR:
            found += value.split(b",")
        elif name == _FORWARDED_PROTO and value.strip().lower() in (b"http", b"https"):
            scope["scheme"] = value.strip().lower().decode()
    for text in reversed(found[-_MAX_HOPS:]):
        address = text.strip().decode("latin-1")
        if not is_address(address):
            return
        scope["client"] = (address, 0)
        if not _is_trusted(address, trusted):
            return


def is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def network_of(scope: Scope) -> str:
    """The network of the client: an IPv4 address, or the /64 of an IPv6 address.

    A host owns a whole /64, and may use another address of it for every request.
    """
    client = scope.get("client")
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


def _is_trusted(host: str, trusted: Sequence[IPNetwork]) -> bool:
    return bool(trusted) and _is_in(host, tuple(trusted))


@lru_cache(maxsize=4096)
def _is_in(host: str, networks: tuple[IPNetwork, ...]) -> bool:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return any(address in network for network in networks)
