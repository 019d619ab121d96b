"""Addresses: private ones by the operator's word, and never those of this machine (rule SS-1)."""

import pytest

from registry.auth.oidc.addresses import refusal_of

NEVER = (
    *("127.0.0.1", "127.8.8.8", "0.0.0.0", "169.254.169.254", "224.0.0.1", "255.255.255.255"),  # noqa: S104
    *("::1", "::", "fe80::1", "fe80::1%eth0", "ff02::1", "fd00:ec2::254", "100.100.100.200"),
    *("168.63.129.16", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"),
    *("64:ff9b::7f00:1", "2002:7f00:1::", "2002:a9fe:a9fe::", "192.0.2.1", "240.0.0.1"),
    *("2001:db8::1", "::7f00:1"),
)
PRIVATE = (
    *("10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "fd12::1"),
    *("::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::"),
)
PUBLIC = ("140.82.121.3", "2606:4700::6810:1", "172.32.0.1", "64:ff9b::8c52:7903", "100.128.0.1")


@pytest.mark.parametrize("address", NEVER)
def test_an_address_of_this_machine_or_of_no_server_is_refused(address: str) -> None:
    assert refusal_of(address, private=True)
    assert refusal_of(address, private=False)


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_needs_the_operators_word(address: str) -> None:
    assert "private network" in refusal_of(address, private=False)
    assert refusal_of(address, private=True) == ""


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_allowed(address: str) -> None:
    assert refusal_of(address, private=False) == ""


def test_the_loopback_is_allowed_to_tests_alone() -> None:
    assert refusal_of("127.0.0.1", private=False, loopback=True) == ""
    assert refusal_of("169.254.169.254", private=True, loopback=True)
