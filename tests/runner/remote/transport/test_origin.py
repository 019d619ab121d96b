"""Origin: which servers may be spoken to, and how (rules C-14 and SS-1)."""

import httpx2
import pytest

from runner.remote.errors import RemoteUntrusted
from runner.remote.transport.origin import Origin, check_hop, is_loopback

REGISTRY = Origin("https", "registry.test", 443)
LOCAL = Origin("http", "127.0.0.1", 5000)


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("registry.test", "https://registry.test:443"),
        ("registry.test:5000", "https://registry.test:5000"),
        ("insecure.test:5000", "http://insecure.test:5000"),
        ("127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("127.9.9.9", "http://127.9.9.9:80"),
        ("localhost:5000", "http://localhost:5000"),
        ("[::1]:5000", "http://[::1]:5000"),
        ("192.168.1.1:5000", "https://192.168.1.1:5000"),
        ("localhost.evil.test", "https://localhost.evil.test:443"),
        ("127.0.0.1.evil.test", "https://127.0.0.1.evil.test:443"),
        ("docker.io", "https://registry-1.docker.io:443"),
    ],
)
def test_plain_http_is_for_loopback_and_listed_hosts_only(host: str, origin: str) -> None:
    assert str(Origin.of_registry(host, {"insecure.test:5000"})) == origin


@pytest.mark.parametrize("host", ["0.0.0.0", "169.254.169.254", "10.0.0.1", "example.test", ""])  # noqa: S104 - an address to be told from loopback
def test_other_addresses_are_not_loopback(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    "target",
    [
        "http://cdn.test/blob",
        "ftp://registry.test/blob",
        "file:///etc/passwd",
        "https://user@registry.test/blob",
        "https://user:password@127.0.0.1/blob",
        "https://127.0.0.1/blob",
        "https://127.1/blob",
        "https://0x7f.1/blob",
        "https://2130706433/blob",
        "https://localhost/blob",
        "https://[::1]/blob",
        "https://[::ffff:127.0.0.1]/blob",
        "https://0.0.0.0/blob",
        "https://169.254.169.254/latest/meta-data",
        "https://[fe80::1]/blob",
    ],
)
async def test_a_registry_may_not_send_us_there(target: str) -> None:
    with pytest.raises(RemoteUntrusted):
        await check_hop(REGISTRY, httpx2.URL(target), ())


@pytest.mark.parametrize(
    ("start", "target"),
    [
        (REGISTRY, "https://registry.test/elsewhere"),
        (REGISTRY, "https://192.0.2.1/blob"),
        (REGISTRY, "http://listed.test:80/blob"),
        (LOCAL, "http://127.0.0.1:9000/blob"),
        (LOCAL, "https://192.0.2.1/blob"),
    ],
)
async def test_a_registry_may_send_us_to_its_store(start: Origin, target: str) -> None:
    await check_hop(start, httpx2.URL(target), {"listed.test"})


@pytest.mark.parametrize("host", ["169.254.169.254", "[fe80::1]", "[::ffff:169.254.169.254]"])
async def test_not_even_a_registry_of_this_machine_sends_us_to_a_link_local_address(
    host: str,
) -> None:
    """There clouds give out an instance's keys."""
    with pytest.raises(RemoteUntrusted):
        await check_hop(LOCAL, httpx2.URL(f"http://{host}/latest/meta-data"), ())
