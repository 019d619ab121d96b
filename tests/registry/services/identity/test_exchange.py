"""TokenExchange: one identity for one token of a trusted CI, once (rule AN-1)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest

from registry.auth.oidc.issuers import Issuer
from registry.auth.oidc.trusts import Trust
from registry.auth.patterns import Pattern
from registry.auth.roles import Role
from registry.errors import Unauthorized
from registry.services.identity import exchange as module
from registry.services.identity import principals, trusts
from registry.services.identity.exchange import TokenExchange
from registry.services.identity.identity import Identity
from registry.services.identity.issuers import Issuers
from tests.support.registry.clocks import FakeClock
from tests.support.registry.identity_services import IdentityServices
from tests.support.registry.issuer import (
    OWN,
    FakeIssuer,
    an_issuer,
    assembled,
    ec_key,
    rsa_key,
    signed,
)

NO_TRUST = "no trust accepts"


@dataclass
class Exchanged:
    """An exchange with an issuer and one trust of it."""

    services: IdentityServices
    issuer: FakeIssuer
    exchange: TokenExchange

    @property
    def now(self) -> int:
        return self.services.clock.wall_ms() // 1000

    async def trust(self, name: str, role: Role = Role.PUSH, **claims: str) -> None:
        trust = Trust(name, Issuer(self.issuer.url, "github"), "", claims, 900)
        given = [(role, Pattern("team/*"))]
        await trusts.add_trust(self.services.state, "op", trust, given, own_address=OWN)

    async def accept(self, **changed: object) -> Identity:
        return await self.exchange.accept(signed(self.issuer.claims(self.now, **changed)))

    async def refused(self, text: str, token: str) -> None:
        with pytest.raises(Unauthorized, match=text):
            await self.exchange.accept(token)


@pytest.fixture
async def exchanged(identified: IdentityServices, clock: FakeClock) -> AsyncIterator[Exchanged]:
    async with an_issuer() as issuer:
        state = identified.state
        exchange = TokenExchange(
            state.database,
            clock,
            Issuers(clock, loopback=True),
            OWN,
            started_at=clock.wall_ms() // 1000,
        )
        exchanged = Exchanged(identified, issuer, exchange)
        await exchanged.trust("gh-app", repository_id="812", ref="refs/heads/main")
        yield exchanged


async def test_a_token_is_exchanged_for_the_identity_of_its_trust(exchanged: Exchanged) -> None:
    identity = await exchanged.accept()

    assert (identity.name, identity.credential, identity.password) == ("gh-app", "", None)
    assert identity.ends_at == exchanged.now + 900
    assert await exchanged.services.may(identity, "push")
    assert not await exchanged.services.may(identity, "push", "other/app")
    assert not await exchanged.services.may(identity, "maintain")


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"aud": "https://other.test"}, NO_TRUST),
        ({"aud": [OWN, "https://other.test"]}, NO_TRUST),
        ({"aud": None}, NO_TRUST),
        ({"iss": "https://evil.test"}, NO_TRUST),
        ({"event_name": "pull_request_target"}, NO_TRUST),
        ({"repository_id": None}, NO_TRUST),
        ({"repository_id": "813"}, NO_TRUST),
        ({"repository_id": 812.0}, NO_TRUST),
        ({"ref": "refs/heads/mine"}, NO_TRUST),
        ({"ref": ""}, NO_TRUST),
        ({"exp": 1_800_000_000 - 60}, "expired"),
        ({"exp": None}, "claim exp"),
        ({"iat": 1_800_000_000 + 61}, "in the future"),
        ({"iat": 1_800_000_000 - 1000}, "issued more than"),
        ({"nbf": 1_800_000_000 + 61}, "does not count yet"),
        ({"iat": 1_800_000_000 - 1}, "older than the registry's start"),
    ],
)
async def test_a_token_with_other_claims_is_refused(
    exchanged: Exchanged, changed: dict[str, object], text: str
) -> None:
    await exchanged.refused(text, signed(exchanged.issuer.claims(exchanged.now, **changed)))


async def test_the_issuer_is_compared_byte_for_byte(exchanged: Exchanged) -> None:
    url = exchanged.issuer.url
    for other in (url + "/", url.upper(), url.replace("127.0.0.1", "localhost"), url + "?", ""):
        claims = exchanged.issuer.claims(exchanged.now, iss=other)
        await exchanged.refused(NO_TRUST, signed(claims))

    assert exchanged.issuer.asked == []


async def test_a_key_of_nobody_signs_nothing(exchanged: Exchanged) -> None:
    claims = exchanged.issuer.claims(exchanged.now)
    for forged in (
        signed(claims, rsa_key("mine")),
        signed(claims, rsa_key("mine"), kid="rsa"),
        signed(claims, ec_key("mine"), kid="ec"),
        signed(claims, ec_key(), kid="rsa"),
        signed(claims, rsa_key(), kid="ec"),
        signed(claims).rpartition(".")[0] + ".AAAA",
        assembled({"alg": "none", "kid": "rsa"}, claims, b""),
        assembled(
            {"alg": "RS256", "kid": "rsa", "jwk": rsa_key("x").as_dict(private=False)}, claims
        ),
    ):
        with pytest.raises(Unauthorized):
            await exchanged.exchange.accept(forged)

    # None of them has used the token up.
    await exchanged.accept()


async def test_a_token_counts_once(exchanged: Exchanged, clock: FakeClock) -> None:
    await exchanged.accept(jti="a")
    for claims in (
        exchanged.issuer.claims(exchanged.now, jti="a"),
        exchanged.issuer.claims(exchanged.now, jti="a", extra="other"),
    ):
        await exchanged.refused("used before", signed(claims))
    await exchanged.accept(jti="b")

    clock.advance(359_000)
    old = exchanged.issuer.claims(exchanged.now - 359, jti="a")
    await exchanged.refused("used before", signed(old))
    clock.advance(1000)
    await exchanged.refused("expired", signed(old))


async def test_a_token_without_an_id_counts_once_too(exchanged: Exchanged) -> None:
    claims = exchanged.issuer.claims(exchanged.now, jti=None)

    await exchanged.exchange.accept(signed(claims, ec_key()))

    await exchanged.refused("used before", signed(claims, ec_key()))


async def test_a_refused_token_is_not_used_up(exchanged: Exchanged) -> None:
    with pytest.raises(Unauthorized):
        await exchanged.accept(ref="refs/heads/new")

    await exchanged.trust("new", repository_id="812", ref="refs/heads/new")
    await exchanged.accept(ref="refs/heads/new")


async def test_the_memory_of_tokens_is_bounded(
    exchanged: Exchanged, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_SEEN", 2)
    await exchanged.accept(jti="a")
    await exchanged.accept(jti="b")
    with pytest.raises(Unauthorized, match="too many tokens"):
        await exchanged.accept(jti="c")

    clock.advance(400_000)

    await exchanged.accept(jti="d")


async def test_of_several_trusts_the_one_with_the_most_claims_accepts(
    exchanged: Exchanged,
) -> None:
    await exchanged.trust("a-wide", Role.PULL, repository_owner_id="7")

    assert (await exchanged.accept(jti="1")).name == "gh-app"
    assert (await exchanged.accept(jti="2", ref="refs/heads/x")).name == "a-wide"


async def test_a_trust_that_is_disabled_or_removed_accepts_nothing(exchanged: Exchanged) -> None:
    state, identity = exchanged.services.state, await exchanged.accept(jti="1")

    await principals.set_flags(state, "op", "gh-app", is_disabled=True)
    with pytest.raises(Unauthorized, match=NO_TRUST):
        await exchanged.accept(jti="2")
    assert not await exchanged.services.may(identity)
    await principals.set_flags(state, "op", "gh-app", is_disabled=False)
    await trusts.remove_trust(state, "op", "gh-app")

    with pytest.raises(Unauthorized, match=NO_TRUST):
        await exchanged.accept(jti="3")
    assert not await exchanged.services.may(identity)


async def test_a_trust_that_is_made_anew_gives_old_identities_nothing(
    exchanged: Exchanged,
) -> None:
    identity = await exchanged.accept()

    await trusts.remove_trust(exchanged.services.state, "op", "gh-app")
    await exchanged.trust("gh-app", repository_id="999")

    assert not await exchanged.services.may(identity)


async def test_an_issuer_that_gives_no_keys_is_told_to_the_operator_only(
    exchanged: Exchanged,
) -> None:
    exchanged.issuer.answers.clear()

    with pytest.raises(Unauthorized) as refused:
        await exchanged.accept()

    assert str(refused.value) == "the token's signature cannot be verified"


async def test_without_an_address_of_its_own_nothing_is_accepted(exchanged: Exchanged) -> None:
    exchanged.exchange = replace(exchanged.exchange, own_address="")

    for audience in ("", OWN, [], [""]):
        with pytest.raises(Unauthorized, match=NO_TRUST):
            await exchanged.accept(aud=audience)
