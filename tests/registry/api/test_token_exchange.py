"""Token exchange on the wire: a CI pushes with its own token, by Bearer and as user oidc."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from registry.api.token import ACCESS_TYPE, EXCHANGE, JWT_TYPE
from registry.auth.access_token import LIFETIME_SECONDS
from registry.auth.oidc.issuers import Issuer
from registry.auth.oidc.trusts import Trust
from registry.auth.patterns import Pattern
from registry.auth.roles import Role
from registry.services.identity import principals, trusts
from registry.services.identity.issuers import Issuers
from tests.support.registry.identified import Headers, Identified, basic, identified, rows
from tests.support.registry.issuer import OWN, FakeIssuer, an_issuer, signed

SCOPE = "repository:team/app:pull,push"
OFFLINE = {"offline_token": "true"}
UPLOADS = "/v2/team/app/blobs/uploads/"


@dataclass
class Wire:
    """A registry with one trust of an issuer."""

    registry: Identified
    issuer: FakeIssuer
    made: int = 0

    def token(self, **changed: object) -> str:
        """A new token of the CI."""
        self.made += 1
        return signed(self.issuer.claims(int(time.time()), **{"jti": f"j{self.made}", **changed}))

    async def post(self, token: str, *scopes: str, **changed: str) -> Any:
        form: dict[str, Any] = {
            "grant_type": EXCHANGE,
            "subject_token": token,
            "subject_token_type": JWT_TYPE,
            "scope": list(scopes),
            **changed,
        }
        return await self.registry.client.post("/token", data=form)

    async def exchanged(self, *scopes: str, **changed: object) -> dict[str, Any]:
        answer = await self.post(self.token(**changed), *scopes)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def status(self, headers: Headers, path: str = UPLOADS) -> int:
        return (await self.registry.client.post(path, headers=headers)).status_code

    async def get(self, headers: Headers, **parameters: str) -> Any:
        return await self.registry.client.get("/token", headers=headers, params=parameters)


def bearer(document: Mapping[str, Any]) -> Headers:
    return {"Authorization": f"Bearer {document['access_token']}"}


@pytest.fixture
async def wire(tmp_path: Path) -> AsyncIterator[Wire]:
    async with an_issuer() as issuer, identified(tmp_path / "root", external_url=OWN) as registry:
        exchange = registry.authorizer.authentication.exchange
        assert exchange is not None
        issuers = Issuers(registry.state.clock, loopback=True)
        object.__setattr__(exchange, "issuers", issuers)
        trust = Trust("gh-app", Issuer(issuer.url, "github"), "", {"repository_id": "812"}, 900)
        given = [(Role.PUSH, Pattern("team/*"))]
        await trusts.add_trust(registry.state, "operator", trust, given, own_address=OWN)
        yield Wire(registry, issuer)


async def test_a_token_is_exchanged_for_a_bearer_token(wire: Wire) -> None:
    answer = await wire.post(wire.token(), SCOPE)

    found = answer.json()
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert found["token"] == found["access_token"]
    assert (found["expires_in"], found["token_type"]) == (900, "Bearer")
    assert found["issued_token_type"] == ACCESS_TYPE
    assert found["scope"] == SCOPE
    assert "refresh_token" not in found
    assert await wire.status(bearer(found)) == 202
    assert await wire.status(bearer(found), "/v2/other/app/blobs/uploads/") == 401


async def test_the_scopes_of_an_exchange_are_the_granted_part(wire: Wire) -> None:
    found = await wire.exchanged("repository:team/app:*", "repository:other/app:pull")

    assert found["scope"] == SCOPE


async def test_docker_signs_in_as_oidc_with_the_access_token(wire: Wire) -> None:
    document = await wire.exchanged()
    login = basic("oidc", document["access_token"])

    assert document["scope"] == ""
    # docker keeps the login, and asks for a token whenever it needs one.
    for _ in range(3):
        found = (await wire.get(login, scope=SCOPE, **OFFLINE)).json()
        assert found["expires_in"] == LIFETIME_SECONDS
        assert "refresh_token" not in found
        assert await wire.status(bearer(found)) == 202
    assert await wire.status(login) == 202
    # By itself it is for no repository.
    assert await wire.status(bearer(document)) == 401


async def test_a_client_signs_in_as_oidc_with_the_token_of_the_ci_once(wire: Wire) -> None:
    token = wire.token()
    login = basic("oidc", token)

    found = await wire.get(login, scope=SCOPE)
    again = await wire.get(login, scope=SCOPE)

    assert await wire.status(bearer(found.json())) == 202
    assert (again.status_code, "used before" in again.text) == (401, True)
    assert (await wire.post(token)).status_code == 401


async def test_the_password_grant_takes_the_token_too(wire: Wire) -> None:
    form = {
        "grant_type": "password",
        "username": "oidc",
        "password": wire.token(padding="a" * 2000),
        "access_type": "offline",
        "scope": SCOPE,
    }

    answer = await wire.registry.client.post("/token", data=form)

    assert "refresh_token" not in answer.json()
    assert await wire.status(bearer(answer.json())) == 202


async def test_an_access_token_for_a_scope_signs_nobody_in(wire: Wire) -> None:
    login = basic("oidc", (await wire.exchanged())["access_token"])
    for document in (
        await wire.exchanged("repository:team/app:pull"),
        # None of it granted, none understood, and none asked for with an access token.
        await wire.exchanged("repository:other/app:pull"),
        await wire.exchanged("oidc:sign-in:*"),
        await wire.exchanged("?"),
        (await wire.get(login)).json(),
        (await wire.get(login, scope="oidc:sign-in:*")).json(),
    ):
        answer = await wire.get(basic("oidc", document["access_token"]), scope=SCOPE)

        assert (answer.status_code, "is for a scope" in answer.text) == (401, True)
        assert await wire.status(basic("oidc", document["access_token"])) == 401
        assert (await wire.get(bearer(document), scope=SCOPE)).status_code == 401


async def test_tokens_of_users_and_robots_are_no_password_of_oidc(wire: Wire) -> None:
    for headers in (
        await wire.registry.user("ada", "push *", is_owner=True),
        await wire.registry.robot("ci", "push *"),
    ):
        theirs = (await wire.get(headers)).json()["access_token"]

        assert (await wire.get(basic("oidc", theirs), scope=SCOPE)).status_code == 401
    anonymous = (await wire.registry.client.get("/token")).json()["access_token"]
    assert (await wire.get(basic("oidc", anonymous), scope=SCOPE)).status_code == 401
    assert (await wire.get(basic("oidc", "a password"))).status_code == 401
    assert (await wire.get(basic("gh-app", "a password"))).status_code == 401
    assert (await wire.get(basic("gh-app", wire.token()))).status_code == 401


async def test_a_removed_trust_ends_what_came_of_it_at_the_next_request(wire: Wire) -> None:
    login = await wire.exchanged()
    scoped = await wire.exchanged(SCOPE)
    basic_login = basic("oidc", login["access_token"])
    assert await wire.status(bearer(scoped)) == 202

    await trusts.remove_trust(wire.registry.state, "operator", "gh-app")

    assert await wire.status(bearer(scoped)) == 401
    assert await wire.status(basic_login) == 401
    assert (await wire.get(basic_login, scope=SCOPE)).status_code == 401
    assert (await wire.post(wire.token(), SCOPE)).status_code == 401
    answer = await wire.registry.client.get("/v2/", headers=bearer(scoped))
    assert answer.status_code == 401


async def test_a_grant_that_is_taken_counts_at_the_next_request(wire: Wire) -> None:
    scoped = await wire.exchanged(SCOPE)

    await wire.registry.revoke("gh-app", "team/*")

    assert await wire.status(bearer(scoped)) == 401


async def test_a_disabled_trust_gets_no_token(wire: Wire) -> None:
    login = basic("oidc", (await wire.exchanged())["access_token"])

    await principals.set_flags(wire.registry.state, "operator", "gh-app", is_disabled=True)

    assert (await wire.post(wire.token())).status_code == 401
    assert (await wire.get(login, scope=SCOPE)).status_code == 401
    assert await wire.status(login) == 401


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"subject_token_type": "urn:ietf:params:oauth:token-type:saml2"}, 400),
        ({"subject_token_type": ACCESS_TYPE}, 400),
        ({"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"}, 400),
        ({"requested_token_type": ACCESS_TYPE}, 200),
        ({"actor_token": "a"}, 400),
        ({"subject_token_type": ""}, 400),
        ({"subject_token": ""}, 400),
        ({"subject_token": "a"}, 401),
        ({"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer"}, 400),
    ],
)
async def test_the_form_of_an_exchange_is_exact(
    wire: Wire, changed: dict[str, str], status: int
) -> None:
    assert (await wire.post(wire.token(), SCOPE, **changed)).status_code == status


async def test_a_refused_token_is_in_no_answer_and_in_the_audit(wire: Wire) -> None:
    token = wire.token(repository_id="813")

    answer = await wire.post(token, SCOPE)

    assert answer.status_code == 401
    assert "no trust accepts this token" in answer.text
    for part in (*token.split("."), "812", "gh-app"):
        assert part not in answer.text
    failures = wire.registry.authorizer.authentication.failures
    await failures.flush(wire.registry.state)
    audit = (await rows(wire.registry, "audit"))["audit"]
    assert any("oidc" in row for row in audit)


async def test_failures_of_one_ci_make_no_other_wait(wire: Wire) -> None:
    for _ in range(20):
        assert (await wire.get(basic("oidc", wire.token(ref="", exp=1)))).status_code == 401

    assert (await wire.get(basic("oidc", wire.token()), scope=SCOPE)).status_code == 200


async def test_an_upload_is_written_down_under_the_name_of_the_trust(wire: Wire) -> None:
    scoped = await wire.exchanged(SCOPE)
    assert await wire.status(bearer(scoped)) == 202

    uploads = (await rows(wire.registry, "uploads"))["uploads"]

    assert any("gh-app" in row for row in uploads)


async def test_a_token_for_a_login_ends_with_the_login_at_the_latest(wire: Wire) -> None:
    issuer, given = Issuer(wire.issuer.url, "github"), [(Role.PULL, Pattern("*"))]
    short = Trust("short", issuer, "", {"repository_id": "812", "ref": "refs/heads/short"}, 60)
    await trusts.add_trust(wire.registry.state, "operator", short, given, own_address=OWN)

    document = await wire.exchanged(ref="refs/heads/short")
    found = (await wire.get(basic("oidc", document["access_token"]), scope=SCOPE)).json()

    assert document["expires_in"] == 60
    assert 0 < found["expires_in"] <= 60
