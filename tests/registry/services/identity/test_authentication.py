"""Authentication: wrong credentials are refused alike, and cost alike."""

from collections.abc import Awaitable, Callable

import pytest
from pwdlib.hashers.bcrypt import BcryptHasher

from registry.auth.access_token import AccessToken, sign
from registry.auth.backoff import FREE_FAILURES, FREE_OF_ADDRESS
from registry.auth.credentials import BasicCredentials
from registry.auth.htpasswd import HtpasswdEntry
from registry.auth.passwords import Passwords
from registry.auth.secrets import mint
from registry.errors import LoginDelayed, Unauthorized
from registry.services.identity import principals, tokens
from registry.services.identity.identity import ANONYMOUS, Identity
from tests.support.registry.identity_services import ADDRESS, ANOTHER, PASSWORD, IdentityServices

WRONG = "unknown user, or wrong password or token"


@pytest.fixture(autouse=True)
async def ada(identified: IdentityServices) -> None:
    await principals.add_user(identified.state, "op", "ada", password=PASSWORD)


async def test_without_credentials_a_caller_is_anonymous(identified: IdentityServices) -> None:
    found = await identified.authentication.identify(None, ADDRESS)

    assert found is ANONYMOUS
    assert found.is_anonymous


async def test_a_password_identifies_its_user(identified: IdentityServices) -> None:
    found = await identified.by_password("ada")

    assert (found.name, found.credential, found.password) == ("ada", "", 1)
    assert not found.is_anonymous


async def refused(signing_in: Awaitable[object]) -> str:
    with pytest.raises(Unauthorized) as caught:
        await signing_in
    return str(caught.value)


async def test_an_unknown_user_and_a_wrong_password_are_told_alike_after_the_same_work(
    identified: IdentityServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    await identified.robot("ci")
    await principals.add_user(identified.state, "op", "eve", password=None)
    await principals.add_user(identified.state, "op", "bob", password=PASSWORD)
    await principals.set_flags(identified.state, "op", "bob", is_disabled=True)
    checked, hasher = [], identified.authentication.passwords._hasher
    verify: Callable[[str, str], bool] = hasher.verify

    def counted(password: str, stored: str) -> bool:
        checked.append(stored.rpartition("$")[0].rpartition("$")[0])
        return verify(password, stored)

    monkeypatch.setattr(hasher, "verify", counted)
    users = {"ada": ANOTHER, "nobody": ANOTHER, "ci": ANOTHER, "eve": ANOTHER, "bob": PASSWORD,
             "Ada": PASSWORD, "everyone": ANOTHER, "anonymous": ""}  # fmt: skip
    told = set()
    for user, password in users.items():
        told.add(await refused(identified.by_password(user, password)))

    assert told == {WRONG}
    # The algorithm with its parameters: one whole hash for each.
    assert len(checked) == len(users)
    assert len(set(checked)) == 1


async def test_a_password_that_was_right_is_wrong_once_it_is_changed(
    identified: IdentityServices,
) -> None:
    await identified.by_password("ada")

    await principals.set_password(identified.state, "op", "ada", ANOTHER)

    assert await refused(identified.by_password("ada")) == WRONG
    assert (await identified.by_password("ada", ANOTHER)).password == 2


@pytest.mark.parametrize("user", [None, "ci"])
async def test_a_token_identifies_its_principal_as_basic_and_as_bearer(
    identified: IdentityServices, user: str | None
) -> None:
    secret = await identified.robot("ci")

    found = await identified.by_token(secret, user)

    assert (found.name, found.credential, found.password) == ("ci", secret.id, None)
    assert found.access_token is None


async def test_a_token_costs_no_hash_of_a_password(
    identified: IdentityServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = await identified.robot("ci")

    async def check(*_: object) -> bool:
        raise AssertionError("a password was checked")

    monkeypatch.setattr(Passwords, "check", check)

    assert (await identified.by_token(secret, "ci")).name == "ci"
    assert await refused(identified.by_token(mint(), "ci")) == WRONG


@pytest.mark.parametrize("user", ["ada", "nobody", "CI", "ci "])
async def test_a_token_under_another_name_is_refused_as_a_wrong_one(
    identified: IdentityServices, user: str
) -> None:
    secret = await identified.robot("ci")

    assert await refused(identified.by_token(secret, user)) == WRONG


async def test_a_token_with_the_id_of_another_is_refused(identified: IdentityServices) -> None:
    secret = await identified.robot("ci")
    forged = mint()
    object.__setattr__(forged, "id", secret.id)

    assert await refused(identified.authentication._by_token(forged, "ci", ADDRESS)) == WRONG


async def test_a_token_counts_until_the_moment_it_expires(identified: IdentityServices) -> None:
    secret = await identified.robot("ci", life_ms=1000)
    identified.clock.advance(999)
    assert (await identified.by_token(secret)).name == "ci"

    identified.clock.advance(1)

    assert await refused(identified.by_token(secret)) == "the token has expired"


async def test_a_token_ends_with_its_revocation_and_with_its_principal(
    identified: IdentityServices,
) -> None:
    first = await identified.robot("ci")
    second, other = await identified.mint("ci"), await identified.robot("cd")

    await tokens.revoke_token(identified.state, "op", first.id)
    assert await refused(identified.by_token(first, "ci")) == WRONG
    assert (await identified.by_token(second, "ci")).name == "ci"
    await principals.remove(identified.state, "op", "ci", "robot")

    assert await refused(identified.by_token(second, "ci")) == WRONG
    assert (await identified.by_token(other, "cd")).name == "cd"


async def test_a_token_of_a_disabled_robot_is_refused_until_it_is_enabled(
    identified: IdentityServices,
) -> None:
    secret = await identified.robot("ci")

    await principals.set_flags(identified.state, "op", "ci", is_disabled=True)

    assert await refused(identified.by_token(secret)) == "ci is disabled"
    await principals.set_flags(identified.state, "op", "ci", is_disabled=False)
    assert (await identified.by_token(secret)).name == "ci"


async def test_a_use_is_recorded_of_a_token_that_counts_alone(identified: IdentityServices) -> None:
    used = await identified.robot("ci", life_ms=10_000)
    expired = await identified.mint("ci", life_ms=1)
    identified.clock.advance(5)
    await identified.by_token(used)
    for secret, user in ((used, "ada"), (expired, "ci")):
        await refused(identified.by_token(secret, user))
    at = identified.clock.wall_ms()
    identified.clock.advance(5)

    await identified.uses.flush(identified.state.database)

    found = {each.id: each for each in await tokens.list_tokens(identified.state, "ci")}
    assert (found[used.id].last_used_at, found[used.id].last_used_from) == (at, ADDRESS)
    assert found[expired.id].last_used_at is None


async def test_an_access_token_identifies_the_caller_that_it_was_issued_to(
    identified: IdentityServices,
) -> None:
    issued = await identified.tokens.issue(await identified.by_password("ada"), (), offline=False)

    found = await identified.by_bearer(issued.text)

    assert (found.name, found.access_token is not None) == ("ada", True)


async def test_an_access_token_of_another_key_or_service_is_refused(
    identified: IdentityServices,
) -> None:
    own = identified.authentication
    token = AccessToken(3, "ada", "", 1, (), own.service, 0, 2**40)
    forged = [
        sign(token, bytes(32)),
        sign(AccessToken(3, "ada", "", 1, (), "elsewhere", 0, 2**40), own.key),
        sign(token, own.key)[:-1] + "_",
        "slipway_",
    ]
    assert (await identified.by_bearer(sign(token, own.key))).name == "ada"

    for text in forged:
        told = await refused(identified.by_bearer(text))
        assert told == "the access token is not valid here, or has expired"


async def test_a_refresh_token_is_no_access_token(identified: IdentityServices) -> None:
    issued = await identified.tokens.issue(await identified.by_password("ada"), (), offline=True)
    assert issued.refresh is not None

    await refused(identified.by_bearer(issued.refresh))
    with pytest.raises(Unauthorized):
        await identified.tokens.refresh(issued.text)


async def sign_in(identified: IdentityServices, user: str, password: str) -> Identity:
    return await identified.authentication.sign_in(BasicCredentials(user, password), ADDRESS)


async def test_after_some_wrong_passwords_even_the_right_one_waits(
    identified: IdentityServices,
) -> None:
    for _ in range(FREE_FAILURES):
        with pytest.raises(Unauthorized):
            await sign_in(identified, "ada", "wrong")

    with pytest.raises(LoginDelayed, match="try again in"):
        await sign_in(identified, "ada", PASSWORD)


async def test_a_revoked_token_makes_nobody_wait(identified: IdentityServices) -> None:
    secret = await identified.robot("ci")
    await tokens.revoke_token(identified.state, "op", secret.id)

    for _ in range(FREE_OF_ADDRESS + 1):
        with pytest.raises(Unauthorized, match="unknown user, or wrong password or token"):
            await sign_in(identified, "ci", secret.text)


async def test_an_imported_hash_becomes_ours_at_the_first_right_login(
    identified: IdentityServices,
) -> None:
    imported = BcryptHasher(rounds=4).hash("old secret")
    await principals.import_users(identified.state, "op", [HtpasswdEntry("bob", imported)])
    with pytest.raises(Unauthorized):
        await identified.by_password("bob", "wrong")
    assert (await principals.show(identified.state, "bob", "user")).password == imported

    first = await identified.by_password("bob", "old secret")

    kept = (await principals.show(identified.state, "bob", "user")).password
    assert kept is not None
    assert kept.startswith("$argon2id$")
    assert await identified.by_password("bob", "old secret") == first
