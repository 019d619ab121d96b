"""Trusts: rows that are found by name, by issuer and by principal."""

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from registry.auth.oidc.issuers import Issuer
from registry.auth.oidc.trusts import Trust
from registry.storage.metadata.identity import principals, trusts
from tests.support.registry.principals import a_principal
from tests.support.registry.rows import EARLY

ISSUER = Issuer("https://ci.test", "other")


def a_trust(connection: Connection, name: str, issuer: Issuer = ISSUER, life: int = 900) -> int:
    principal = a_principal(connection, name, "robot")
    trust = Trust(name, issuer, "mine", {"sub": "job", "b": "é"}, life)
    trusts.add(connection, EARLY, trust, principal, is_private=name == "private")
    return principal


def test_a_trust_is_read_as_it_was_added(connection: Connection) -> None:
    principal = a_trust(connection, "private")
    a_trust(connection, "b")

    found = trusts.find(connection, "private")

    assert found is not None
    assert found.trust == Trust("private", ISSUER, "mine", {"sub": "job", "b": "é"}, 900)
    assert (found.principal, found.is_private, found.is_disabled) == (principal, True, False)
    assert (found.created_at, found.created_by) == (EARLY.at, EARLY.identity)
    assert trusts.BY_PRINCIPAL.first(connection, principal) == found
    assert trusts.BY_PRINCIPAL.first(connection, 0) is None
    assert trusts.find(connection, "none") is None


def test_trusts_are_listed_by_name_and_by_their_exact_issuer(connection: Connection) -> None:
    for name, url in (("b", ISSUER.url), ("a", ISSUER.url), ("c", ISSUER.url + "/")):
        a_trust(connection, name, Issuer(url, "other"))

    assert [each.trust.name for each in trusts.listed(connection)] == ["a", "b", "c"]
    assert [each.trust.name for each in trusts.of_issuer(connection, ISSUER.url)] == ["a", "b"]
    assert trusts.of_issuer(connection, ISSUER.url.upper()) == []
    assert trusts.count(connection) == 3


def test_a_trust_of_a_disabled_principal_says_so(connection: Connection) -> None:
    principal = a_trust(connection, "a")

    principals.change_row(connection, principal, disabled_at=1)

    [found] = trusts.of_issuer(connection, ISSUER.url)
    assert found.is_disabled
    assert found.refusal({}, "") == "a is disabled"


def test_a_removed_trust_is_gone_and_a_principal_stays_for_its_trust(
    connection: Connection,
) -> None:
    a_trust(connection, "a")
    a_trust(connection, "b")
    trusts.remove(connection, "a")

    assert [each.trust.name for each in trusts.listed(connection)] == ["b"]
    with pytest.raises(IntegrityError):
        principals.remove(connection, trusts.listed(connection)[0].principal)


@pytest.mark.parametrize("life", [0, 3601])
def test_a_life_is_at_most_an_hour_in_the_rows_too(connection: Connection, life: int) -> None:
    with pytest.raises(IntegrityError):
        a_trust(connection, "a", life=life)
