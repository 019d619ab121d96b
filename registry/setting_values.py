"""Values of settings: addresses, networks, files, each parsed and judged once."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Address:
    """An address to listen on.

    >>> str(Address.parse("[::1]:5000"))
    '[::1]:5000'
    """

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        host, colon, port = text.rpartition(":")
        bare = host.removeprefix("[").removesuffix("]")
        is_port = port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 65535
        if not colon or not bare or not is_port or (":" in bare) != host.startswith("["):
            raise ValueError("expected HOST:PORT, such as 127.0.0.1:5000 or [::1]:5000")
        return cls(bare, int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the address."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


class Networks(tuple[IPNetwork, ...]):
    """Networks of IP addresses, written with commas between them.

    >>> len(Networks.parse("127.0.0.1, 10.0.0.0/8"))
    2
    """

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        try:
            return cls(ipaddress.ip_network(part.strip()) for part in text.split(","))
        except ValueError:
            expected = "expected addresses or networks, such as 127.0.0.1, 10.0.0.0/8"
            raise ValueError(expected) from None


class ExternalURL(str):
    """The address that clients use, as ``https://HOST[:PORT]``; empty for the request's own.

    >>> ExternalURL.parse("https://registry.example/")
    'https://registry.example'
    """

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        stem = text.removesuffix("/")
        scheme, separator, host = stem.partition("://")
        is_plain = host and all(part.isalnum() or part in "-.:[]_" for part in host)
        if scheme not in ("http", "https") or not separator or not is_plain or not host.isascii():
            raise ValueError("expected https://HOST or https://HOST:PORT, without a path")
        return cls(stem)


class OptionalFile(str):
    """The path of a file; empty for none."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        return cls(text)


NO_NETWORKS = Networks()
NO_FILE = OptionalFile("")

# No address of its own: each request's Host is used.
OWN_URL = ExternalURL("")
