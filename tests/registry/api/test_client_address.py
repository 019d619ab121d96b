"""The client's address: the connection's, or the one that a trusted proxy forwards."""

from typing import Any

import pytest

from registry.api.client_address import apply_forwarded, network_of
from registry.config import Networks

PROXIES = Networks.parse("192.0.2.1, 10.0.0.0/8, fd00::/8")


def applied(client: str, *forwarded: str, proto: str = "") -> dict[str, Any]:
    """The scope of a request from a client with these X-Forwarded-For headers."""
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    if proto:
        headers.append((b"x-forwarded-proto", proto.encode()))
    scope: dict[str, Any] = {"client": (client, 1), "scheme": "http", "headers": headers}
    apply_forwarded(scope, PROXIES)
    return scope


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", ""),
        (None, ""),
    ],
)
def test_a_caller_is_bounded_by_the_network_it_has_to_itself(
    host: str | None, network: str
) -> None:
    client = None if host is None else (host, 12345)

    assert network_of({"type": "http", "headers": [], "client": client}) == network


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        (["198.51.100.7"], "198.51.100.7"),
        (["198.51.100.7, 10.1.2.3"], "198.51.100.7"),
        (["198.51.100.7", "10.1.2.3"], "198.51.100.7"),
        (["203.0.113.9, 198.51.100.7"], "198.51.100.7"),
        (["10.1.2.3"], "10.1.2.3"),
        (["2001:db8::1"], "2001:db8::1"),
        (["unknown, 10.1.2.3"], "10.1.2.3"),
        (["198.51.100.7:80"], "192.0.2.1"),
        (["evil\r\n"], "192.0.2.1"),
        ([""], "192.0.2.1"),
        ([], "192.0.2.1"),
    ],
)
def test_the_last_address_that_is_no_proxys_is_the_clients(
    forwarded: list[str], client: str
) -> None:
    assert applied("192.0.2.1", *forwarded)["client"][0] == client


def test_ht_2_a_client_that_is_no_proxy_says_nothing_about_itself() -> None:
    scope = applied("198.51.100.7", "203.0.113.9", proto="https")

    assert scope["client"] == ("198.51.100.7", 1)
    assert scope["scheme"] == "http"


@pytest.mark.parametrize(
    ("proto", "scheme"), [("https", "https"), ("HTTPS", "https"), ("ftp", "http"), ("", "http")]
)
def test_the_scheme_is_the_proxys(proto: str, scheme: str) -> None:
    assert applied("10.0.0.1", proto=proto)["scheme"] == scheme


def test_without_trusted_proxies_nothing_is_replaced() -> None:
    scope: dict[str, Any] = {
        "client": ("192.0.2.1", 1),
        "headers": [(b"x-forwarded-for", b"203.0.113.9")],
    }

    apply_forwarded(scope, ())

    assert scope["client"] == ("192.0.2.1", 1)
