"""Issuers: their keys come from the named server, soon, in few bytes, or not at all (rule SS-1)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from registry.auth.oidc.keys import TokenRefused
from registry.services.identity.issuers import (
    DISCOVERY,
    FRESH_MS,
    MAX_BYTES,
    REFETCH_MS,
    RETRY_MS,
    STALE_MS,
    Issuers,
)
from tests.support.registry.clocks import FakeClock
from tests.support.registry.issuer import KEYS, FakeIssuer, an_issuer, ec_key, key_set, rsa_key


@pytest.fixture
async def issuer() -> AsyncIterator[FakeIssuer]:
    async with an_issuer() as issuer:
        yield issuer


@pytest.fixture
def issuers(clock: FakeClock) -> Issuers:
    return Issuers(clock, loopback=True)


async def refused(issuers: Issuers, issuer: FakeIssuer, text: str, key_id: str = "rsa") -> None:
    with pytest.raises(TokenRefused, match=text):
        await issuers.key(issuer.url, key_id, private=False)


async def test_keys_are_fetched_once_for_many(issuers: Issuers, issuer: FakeIssuer) -> None:
    found = await asyncio.gather(
        *(issuers.key(issuer.url, "rsa", private=False) for _ in range(8)),
        issuers.key(issuer.url, "ec", private=False),
    )

    assert found[0].as_dict(private=False)["n"] == rsa_key().as_dict(private=False)["n"]
    assert issuer.asked == [DISCOVERY, KEYS]


async def test_an_unknown_id_fetches_the_keys_again_once_a_minute(
    issuers: Issuers, issuer: FakeIssuer, clock: FakeClock
) -> None:
    await issuers.key(issuer.url, "rsa", private=False)
    for _ in range(5):
        await refused(issuers, issuer, "none of the issuer's keys", "new")
    assert len(issuer.asked) == 2

    issuer.publish(rsa_key("new"))
    clock.advance(REFETCH_MS)
    await issuers.key(issuer.url, "new", private=False)

    assert len(issuer.asked) == 4
    # Its other key was taken away.
    await refused(issuers, issuer, "none of the issuer's keys", "rsa")


@pytest.mark.parametrize("key_id", ["../rsa", "RSA", "rsa\0", "' OR 1=1", "http://127.0.0.1/rsa"])
async def test_an_id_is_compared_and_nothing_else(
    issuers: Issuers, issuer: FakeIssuer, key_id: str
) -> None:
    await refused(issuers, issuer, "none of the issuer's keys", key_id)

    assert issuer.asked == [DISCOVERY, KEYS]


async def test_old_keys_count_for_a_day_while_the_issuer_is_away(
    issuers: Issuers, issuer: FakeIssuer, clock: FakeClock
) -> None:
    await issuers.key(issuer.url, "rsa", private=False)
    issuer.say(KEYS, b"", 503)

    clock.advance(FRESH_MS)
    await issuers.key(issuer.url, "rsa", private=False)
    assert len(issuer.asked) == 4
    clock.advance(STALE_MS - FRESH_MS - 1)
    await issuers.key(issuer.url, "rsa", private=False)
    clock.advance(1)
    await refused(issuers, issuer, "cannot be fetched: the issuer answers 503")


async def test_a_key_that_is_withdrawn_counts_for_an_hour_at_most(
    issuers: Issuers, issuer: FakeIssuer, clock: FakeClock
) -> None:
    await issuers.key(issuer.url, "rsa", private=False)
    issuer.publish(ec_key())

    clock.advance(FRESH_MS)

    await refused(issuers, issuer, "none of the issuer's keys")


async def test_a_fetch_that_failed_is_tried_again_after_some_seconds(
    issuers: Issuers, issuer: FakeIssuer, clock: FakeClock
) -> None:
    issuer.say(KEYS, b"", 500)
    for _ in range(5):
        await refused(issuers, issuer, "answers 500")
    assert len(issuer.asked) == 2
    issuer.publish(rsa_key())

    clock.advance(RETRY_MS)
    await issuers.key(issuer.url, "rsa", private=False)


@pytest.mark.parametrize("path", [DISCOVERY, KEYS])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(
    issuers: Issuers, issuer: FakeIssuer, path: str, status: int
) -> None:
    issuer.say("/elsewhere", key_set(rsa_key()))
    issuer.say(path, b"", status, Location=issuer.url + "/elsewhere")

    await refused(issuers, issuer, f"answers {status}")

    assert "/elsewhere" not in issuer.asked


@pytest.mark.parametrize("path", [DISCOVERY, KEYS])
async def test_an_answer_is_bounded(issuers: Issuers, issuer: FakeIssuer, path: str) -> None:
    issuer.say(path, b" " * (MAX_BYTES + 1))

    await refused(issuers, issuer, "longer than")


async def test_an_answer_that_is_compressed_is_refused(
    issuers: Issuers, issuer: FakeIssuer
) -> None:
    issuer.say(KEYS, key_set(rsa_key()), Content_Encoding="gzip")

    await refused(issuers, issuer, "compressed")


@pytest.mark.parametrize("path", [DISCOVERY, KEYS])
async def test_an_issuer_that_does_not_answer_is_given_up(
    clock: FakeClock, issuer: FakeIssuer, path: str
) -> None:
    issuer.answers[path] = None

    await refused(Issuers(clock, loopback=True, timeout=0.2), issuer, "cannot be fetched")


async def test_an_issuer_that_is_away_is_refused(issuers: Issuers, issuer: FakeIssuer) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        issuer.port = unused.getsockname()[1]

        await refused(issuers, issuer, "ConnectError")


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://evil.test"},
        {"issuer": "{url}/"},
        {},
        {"issuer": "{url}", "jwks_uri": None},
        {"issuer": "{url}", "jwks_uri": "/keys"},
        {"issuer": "{url}", "jwks_uri": "ftp://127.0.0.1/keys"},
        {"issuer": "{url}", "jwks_uri": "file:///etc/passwd"},
        {"issuer": "{url}", "jwks_uri": "http://user:pass@127.0.0.1/keys"},
        {"issuer": "{url}", "jwks_uri": "http://169.254.169.254/keys"},
        {"issuer": "{url}", "jwks_uri": "http://[::ffff:169.254.169.254]/keys"},
        {"issuer": "{url}", "jwks_uri": "http://10.0.0.1/keys"},
        {"issuer": "{url}", "jwks_uri": "http://0xa9fea9fe/keys"},
        {"issuer": "{url}", "jwks_uri": "http://[::"},
        {"issuer": "{url}", "jwks_uri": "http:///keys"},
    ],
)
async def test_a_configuration_that_leads_elsewhere_is_refused(
    issuers: Issuers, issuer: FakeIssuer, document: dict[str, str | None]
) -> None:
    told = {name: text and text.replace("{url}", issuer.url) for name, text in document.items()}
    issuer.say(DISCOVERY, {"jwks_uri": issuer.url + KEYS, **told})

    with pytest.raises(TokenRefused):
        await issuers.key(issuer.url, "rsa", private=True)

    assert issuer.asked == [DISCOVERY]


async def test_without_the_word_of_a_test_neither_http_nor_the_loopback_is_asked(
    clock: FakeClock, issuer: FakeIssuer
) -> None:
    await refused(Issuers(clock), issuer, "expected an https URL")
    for host in ("127.0.0.1", "localhost"):
        with pytest.raises(TokenRefused, match="is this machine"):
            await Issuers(clock).key(f"https://{host}:{issuer.port}", "rsa", private=True)

    assert issuer.asked == []


async def test_every_address_of_a_name_must_be_allowed(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def resolve(*_args: object, **_more: object) -> list[tuple[object, ...]]:
        return [(0, 0, 0, "", ("140.82.121.3", 443)), (0, 0, 0, "", ("10.0.0.1", 443))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)

    with pytest.raises(TokenRefused, match=r"10\.0\.0\.1 is an address of a private network"):
        await Issuers(clock).key("https://ci.test", "rsa", private=False)


async def test_a_private_issuer_leads_to_no_other_private_server(
    clock: FakeClock, issuer: FakeIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, bool]] = []

    def refusal(text: str, *, private: bool, loopback: bool) -> str:
        asked.append((text, private))
        return ""

    monkeypatch.setattr("registry.services.identity.issuers.refusal_of", refusal)
    other = issuer.url.replace("127.0.0.1", "localhost") + KEYS
    issuer.say(DISCOVERY, {"issuer": issuer.url, "jwks_uri": other})

    await Issuers(clock, loopback=True).key(issuer.url, "rsa", private=True)

    assert asked[0] == ("127.0.0.1", True)
    assert {private for _, private in asked[1:]} == {False}
