"""Addresses: the servers that the registry may be sent to by a setting (rule SS-1)."""

from __future__ import annotations

import ipaddress

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_PRIVATE = tuple(
    map(
        ipaddress.ip_network,
        ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"),
    )
)
# Clouds serve an instance's keys there; the others are link-local.
_METADATA = frozenset(
    map(ipaddress.ip_address, ("fd00:ec2::254", "100.100.100.200", "168.63.129.16"))
)
# Addresses whose last 32 bits are those of an IPv4 address, behind a gateway or on this machine.
_EMBEDDING = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "::/96")))


def refusal_of(text: str, *, private: bool, loopback: bool = False) -> str:
    """The reason that an address may not be connected to; empty if it may.

    ``private``: an address of a private network may.  ``loopback``: only for tests.
    """
    found = _inner(ipaddress.ip_address(text.partition("%")[0]))
    if found in _METADATA or found.is_link_local:
        return f"{found} may serve the keys of this machine"
    if found.is_loopback:
        return "" if loopback else f"{found} is this machine"
    if any(found in network for network in _PRIVATE):
        return "" if private else f"{found} is an address of a private network"
    if found.is_multicast or not found.is_global:
        return f"{found} is no address of a server"
    return ""


def _inner(address: IPAddress) -> IPAddress:
    """The IPv4 address that an IPv6 address stands for, or the address itself."""
    if isinstance(address, ipaddress.IPv4Address) or address.is_loopback:
        return address
    inner = address.ipv4_mapped or address.sixtofour
    if inner is None and address.teredo is not None:
        inner = address.teredo[1]
    if inner is None and any(address in network for network in _EMBEDDING):
        inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address if inner is None else inner
