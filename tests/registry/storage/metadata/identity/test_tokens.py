"""Tokens: rows of hashes, found by the token's public part."""

from sqlalchemy import Connection, text

from registry.auth.decision import Narrowing
from registry.auth.patterns import Pattern
from registry.auth.roles import Role
from registry.storage.metadata.identity import principals, tokens
from tests.support.registry.principals import a_principal, a_token
from tests.support.registry.rows import EARLY


def test_a_token_is_found_by_its_id_with_its_principal(connection: Connection) -> None:
    robot, limits = a_principal(connection, "ci", "robot"), (Narrowing(Role.PULL, Pattern("a/*")),)
    secret = a_token(connection, robot, limits=limits, expires_at=9)

    found = tokens.BY_ID.first(connection, secret.id)

    assert found is not None
    assert (found.principal_id, found.principal, found.kind) == (robot, "ci", "robot")
    assert (found.limits, found.expires_at, found.is_disabled) == (limits, 9, False)
    assert (found.created_at, found.created_by) == (EARLY.at, EARLY.identity)
    assert secret.is_of(found.hash)
    assert tokens.BY_ID.first(connection, secret.id.swapcase()) is None


def test_a_token_of_a_disabled_principal_says_so(connection: Connection) -> None:
    ada, bob = a_principal(connection, "ada"), a_principal(connection, "bob")
    of_ada, of_bob = a_token(connection, ada), a_token(connection, bob)

    principals.change_row(connection, ada, disabled_at=0)

    found = [tokens.BY_ID.first(connection, each.id) for each in (of_ada, of_bob)]
    assert [each.is_disabled for each in found if each is not None] == [True, False]


def test_the_secret_is_in_no_row(connection: Connection) -> None:
    secret = a_token(connection, a_principal(connection, "ada"))

    row = connection.execute(text("SELECT * FROM tokens")).one()

    body = secret.text.split("_")[2]
    assert not any(body in str(value) for value in row)


def test_a_token_is_revoked_once(connection: Connection) -> None:
    ada = a_principal(connection, "ada")
    kept, revoked = a_token(connection, ada), a_token(connection, ada)

    assert tokens.remove(connection, revoked.id)
    assert not tokens.remove(connection, revoked.id)

    assert [each.id for each in tokens.of_principal(connection)] == [kept.id]


def test_tokens_are_listed_of_one_principal_or_of_all(connection: Connection) -> None:
    ada, bob = a_principal(connection, "ada"), a_principal(connection, "bob")
    of_ada, of_bob = a_token(connection, ada), a_token(connection, bob)

    assert [each.id for each in tokens.of_principal(connection, ada)] == [of_ada.id]
    assert {each.id for each in tokens.of_principal(connection)} == {of_ada.id, of_bob.id}


def test_a_token_is_alive_until_it_expires(connection: Connection) -> None:
    ada = a_principal(connection, "ada")
    a_token(connection, ada)
    a_token(connection, ada, expires_at=10)
    a_token(connection, a_principal(connection, "bob"))

    alive = [tokens.count_alive(connection, ada, now) for now in (9, 10, 11)]

    assert alive == [2, 1, 1]


def test_uses_are_recorded_of_tokens_that_exist(connection: Connection) -> None:
    ada = a_principal(connection, "ada")
    used, unused, revoked = (a_token(connection, ada) for _ in range(3))
    tokens.remove(connection, revoked.id)

    tokens.record_uses(connection, {used.id: (5, "192.0.2.1"), revoked.id: (6, "192.0.2.2")})

    found = {each.id: each for each in tokens.of_principal(connection)}
    assert (found[used.id].last_used_at, found[used.id].last_used_from) == (5, "192.0.2.1")
    assert (found[unused.id].last_used_at, found[unused.id].last_used_from) == (None, None)
    assert revoked.id not in found
