"""Values of settings: what is parsed, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.setting_values import Address, ExternalURL, Networks


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:5000", "127.0.0.1", 5000),
        ("[::1]:0", "::1", 0),
        ("localhost:65535", "localhost", 65535),
    ],
)
def test_an_address_is_a_host_and_a_port(text: str, host: str, port: int) -> None:
    address = Address.parse(text)

    assert (address.host, address.port, str(address)) == (host, port, text)
    assert address.is_loopback


@pytest.mark.parametrize("text", ["0.0.0.0:1", "[::]:1", "192.0.2.1:1", "registry.example:1"])
def test_other_addresses_can_be_reached_from_elsewhere(text: str) -> None:
    assert not Address.parse(text).is_loopback


@pytest.mark.parametrize("text", ["", "5000", "::1:5000", "a:65536", "a:-1", "a:", ":1", "a:1 "])
def test_anything_else_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="expected HOST:PORT"):
        Address.parse(text)


@pytest.mark.parametrize("text", ["https://r.example", "http://[::1]:5000", "https://r:1/"])
def test_an_external_url_has_a_host_and_no_path(text: str) -> None:
    assert ExternalURL.parse(text) == text.removesuffix("/")


@pytest.mark.parametrize(
    "text",
    [
        "r.example",
        "ftp://r",
        "https://",
        "https://r/path",
        "https://u@r",
        "https://r?q",
        "https://ü",
    ],
)
def test_anything_else_is_no_external_url(text: str) -> None:
    with pytest.raises(ValueError, match="expected https://HOST"):
        ExternalURL.parse(text)


def test_networks_are_separated_by_commas() -> None:
    assert [str(each) for each in Networks.parse("127.0.0.1, 10.0.0.0/8,fd00::/8")] == [
        "127.0.0.1/32",
        "10.0.0.0/8",
        "fd00::/8",
    ]


@pytest.mark.parametrize("text", ["", "a", "10.0.0.1/8", "10.0.0.0/33", "1.1.1.1,"])
def test_anything_else_is_no_network(text: str) -> None:
    with pytest.raises(ValueError, match="expected addresses or networks"):
        Networks.parse(text)


@given(st.text(max_size=30))
def test_any_text_is_a_value_or_a_valueerror(text: str) -> None:
    for kind in (Address, ExternalURL, Networks):
        try:
            kind.parse(text)
        except ValueError:
            continue
