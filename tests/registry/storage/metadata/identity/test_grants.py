"""Grants: one role for a principal and a pattern, and the repositories that they make visible."""

from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from oci.reference import RepositoryName
from registry.auth.patterns import Pattern
from registry.auth.roles import Role
from registry.storage.metadata import repositories
from registry.storage.metadata.identity import grants, principals
from registry.storage.metadata.identity.tables import ANONYMOUS_ID, EVERYONE_ID
from tests.support.registry.principals import a_grant, a_principal, role_of
from tests.support.registry.rows import EARLY, LATE, a_repository

NAMES = sorted({"ada", "ada/app", "bob/app", "team", "team/app", "team/app-2", "team/app/x",
                "team-2/app", "team.x/app", "team0", "other/ada/app", "z"})  # fmt: skip
PATTERNS = [*NAMES, "*", "ada/*", "team/*", "team/app/*", "team-2/*", "{user}/*", "other/{user}/*",
            "{user}", "absent/*", "absent"]  # fmt: skip
WHO = ["ada", "bob", "own", "other", "everyone", "anonymous"]

given_grants = st.lists(
    st.tuples(st.sampled_from(WHO), st.sampled_from(PATTERNS), st.sampled_from(list(Role))),
    min_size=1,
    max_size=8,
)


@contextmanager
def rolled_back(connection: Connection) -> Iterator[None]:
    savepoint = connection.begin_nested()
    try:
        yield
    finally:
        savepoint.rollback()


def visible(
    connection: Connection, principal: int, within: list[Pattern] | None, n: int, last: str | None
) -> list[str]:
    """All pages of n names, joined."""
    found: list[str] = []
    while True:
        page = grants.visible_names(connection, principal, "ada", within, last=last, limit=n)
        assert len(page) <= n
        found += map(str, page)
        if len(page) < n:
            return found
        last = str(page[-1])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    given_grants,
    st.none() | st.lists(st.sampled_from(PATTERNS), max_size=3),
    st.integers(1, 7),
    st.none() | st.sampled_from([*NAMES, "a", "team/", "team/b", "zz", "~"]),
    st.booleans(),
)
def test_the_visible_names_are_those_with_a_role_in_pages_of_any_size(
    connection: Connection,
    given: list[tuple[str, str, Role]],
    limits: list[str] | None,
    n: int,
    last: str | None,
    is_anonymous: bool,
) -> None:
    within = None if limits is None else [Pattern(limit).for_user("ada") for limit in limits]
    with rolled_back(connection):
        ids = {"everyone": EVERYONE_ID, "anonymous": ANONYMOUS_ID}
        ids |= {name: a_principal(connection, name) for name in ("ada", "bob")}
        ids |= {name: a_principal(connection, name, "group") for name in ("own", "other")}
        principals.add_member(connection, ids["own"], ids["ada"])
        principals.add_member(connection, ids["other"], ids["bob"])
        for who, pattern, role in given:
            a_grant(connection, ids[who], role, pattern)
        for name in NAMES:
            a_repository(connection, RepositoryName(name))
        principal = ANONYMOUS_ID if is_anonymous else ids["ada"]

        found = visible(connection, principal, within, n, last)

        assert found == [
            name
            for name in NAMES
            if (last is None or name > last)
            and role_of(connection, principal, name) is not None
            and (within is None or any(limit.matches(name) for limit in within))
        ]


def test_a_deleted_repository_is_not_visible(connection: Connection, repository: int) -> None:
    ada = a_principal(connection, "ada")
    a_grant(connection, ada, Role.PULL, "*")
    assert visible(connection, ada, None, 5, None) == ["team/app"]

    repositories.mark_deleted(connection, LATE, repository, RepositoryName("team/app"))

    assert visible(connection, ada, None, 5, None) == []


def test_a_grant_is_replaced_by_another_on_the_same_pattern(connection: Connection) -> None:
    ada, pattern = a_principal(connection, "ada"), Pattern("team/*")

    assert grants.put(connection, EARLY, ada, Role.PULL, pattern) is None
    assert grants.put(connection, LATE, ada, Role.PUSH, pattern) is Role.PULL
    assert grants.put(connection, EARLY, ada, Role.PUSH, pattern) is Role.PUSH

    [found] = grants.listed(connection)
    assert (found.principal, found.kind, found.role) == ("ada", "user", Role.PUSH)
    assert (found.created_at, found.created_by) == (LATE.at, LATE.identity)
    assert grants.count_of(connection, ada) == 1


def test_a_grant_is_removed_by_its_pattern_alone(connection: Connection) -> None:
    ada, bob = a_principal(connection, "ada"), a_principal(connection, "bob")
    for each in (ada, bob):
        a_grant(connection, each, Role.PUSH, "team/*")
        a_grant(connection, each, Role.PULL, "team/app")

    assert grants.remove(connection, ada, Pattern("team/*")) is Role.PUSH
    assert grants.remove(connection, ada, Pattern("team/*")) is None

    left = [(each.principal, str(each.pattern)) for each in grants.listed(connection)]
    assert left == [("ada", "team/app"), ("bob", "team/*"), ("bob", "team/app")]


def test_grants_are_listed_in_the_order_given_and_paged(connection: Connection) -> None:
    ada, bob = a_principal(connection, "ada"), a_principal(connection, "bob")
    for each, pattern in ((bob, "z"), (ada, "y"), (bob, "x")):
        a_grant(connection, each, Role.PULL, pattern)

    first, second = grants.listed(connection, limit=2)
    [third] = grants.listed(connection, after=second.id)

    assert [str(each.pattern) for each in (first, second, third)] == ["z", "y", "x"]
    assert [str(each.pattern) for each in grants.listed(connection, principal=bob)] == ["z", "x"]


def test_the_grants_that_count_are_the_own_the_groups_everyones_and_anonymous(
    connection: Connection,
) -> None:
    ada, bob = a_principal(connection, "ada"), a_principal(connection, "bob")
    own, other = (a_principal(connection, name, "group") for name in ("own", "other"))
    principals.add_member(connection, own, ada)
    principals.add_member(connection, other, bob)
    for number, each in enumerate((EVERYONE_ID, ANONYMOUS_ID, ada, bob, own, other)):
        a_grant(connection, each, Role.PULL, f"p{number}")

    of_ada = [each.principal for each in grants.held_by(connection, ada)]
    of_anonymous = [each.principal for each in grants.held_by(connection, ANONYMOUS_ID)]

    assert of_ada == ["everyone", "anonymous", "ada", "own"]
    assert of_anonymous == ["anonymous"]
