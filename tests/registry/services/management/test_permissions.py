"""Grants and locks: lists read on until a page is full, and writes decide in their transaction."""

import pytest

from registry.auth.globs import Glob
from registry.auth.patterns import Pattern
from registry.auth.roles import Role
from registry.errors import Absent, Denied
from registry.services.identity import grants, locks, principals
from registry.services.identity.identity import Identity
from registry.services.management import permissions
from tests.support.registry.storage import Service

TEAM, OTHER, ALL = Pattern("team/*"), Pattern("other/*"), Pattern("*")


async def a_lead(service: Service) -> Identity:
    await principals.add_user(service.state, "op", "lead", password=None)
    await grants.add_grant(service.state, "op", "lead", Role.ADMIN, TEAM)
    found = await principals.show(service.state, "lead", "user")
    return Identity(found.id, found.name)


async def test_grants_out_of_sight_are_passed_over_read_by_read(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(permissions, "_ROWS_PER_READ", 2)
    lead = await a_lead(service)
    for number in range(9):
        pattern = Pattern(f"{'other' if number % 4 else 'team'}/a{number}")
        await grants.add_grant(service.state, "op", "everyone", Role.PULL, pattern)

    found = await permissions.list_grants(service.state, lead, "everyone", after=0, limit=2)
    rest = await permissions.list_grants(
        service.state, lead, "everyone", after=found[-1].id, limit=2
    )

    assert [str(each.pattern) for each in (*found, *rest)] == ["team/a0", "team/a4", "team/a8"]


async def test_a_lead_who_is_one_no_longer_gives_and_locks_nothing(service: Service) -> None:
    lead, state = await a_lead(service), service.state
    await permissions.write_lock(state, lead, "releases", TEAM, Glob("v*"))
    await permissions.write_grant(state, lead, "everyone", Role.PULL, TEAM)
    await grants.remove_grant(state, "op", "lead", TEAM)

    with pytest.raises(Denied):
        await permissions.write_grant(state, lead, "lead", Role.ADMIN, TEAM)
    with pytest.raises(Denied):
        await permissions.delete_grant(state, lead, "everyone", TEAM)
    with pytest.raises(Denied):
        await permissions.write_lock(state, lead, "releases", TEAM, Glob("x*"))
    with pytest.raises(Absent):
        await permissions.delete_lock(state, lead, "releases")

    assert [str(each.tags) for each in await locks.list_locks(state)] == ["v*"]


async def test_a_lock_is_seen_where_it_holds_the_callers_tags(service: Service) -> None:
    lead, state = await a_lead(service), service.state
    for name, pattern in (("all", ALL), ("far", OTHER), ("near", Pattern("team/app"))):
        await locks.put_lock(state, "op", name, pattern, Glob("v*"))

    found = await permissions.list_locks(state, lead, last=None, limit=10)

    assert [each.name for each in found] == ["all", "near"]
    assert await permissions.list_locks(state, lead, last="all", limit=10) == found[1:]
