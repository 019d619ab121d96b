"""Robots: decided in the transaction of the change, whatever was read before it."""

import pytest

from registry.auth.patterns import Pattern
from registry.auth.roles import Role
from registry.errors import Absent, Conflict, Denied
from registry.services.identity import grants, principals, tokens
from registry.services.identity.identity import Identity
from registry.services.management import robots
from tests.support.registry.storage import Service

TEAM, APP, OTHER = Pattern("team/*"), Pattern("team/app"), Pattern("other/app")


async def a_lead(service: Service) -> Identity:
    await principals.add_user(service.state, "op", "lead", password=None)
    await grants.add_grant(service.state, "op", "lead", Role.ADMIN, TEAM)
    found = await principals.show(service.state, "lead", "user")
    return Identity(found.id, found.name)


async def put(service: Service, identity: Identity, *patterns: Pattern) -> robots.Robot:
    given = [(Role.PUSH, pattern) for pattern in patterns]
    written = await robots.put_robot(service.state, identity, "ci", given, is_disabled=False)
    return written.found


async def test_a_lead_who_is_one_no_longer_changes_nothing(service: Service) -> None:
    lead = await a_lead(service)
    await put(service, lead, APP)
    await grants.remove_grant(service.state, "op", "lead", TEAM)
    check = robots.managing(lead, "ci")

    with pytest.raises(Denied):
        await put(service, lead, APP)
    with pytest.raises(Absent):
        await robots.remove_robot(service.state, lead, "ci")
    with pytest.raises(Absent):
        await tokens.mint_token(
            service.state, "lead", "ci", label="", limits=None, life_ms=None, check=check
        )
    assert await tokens.list_tokens(service.state, "ci") == []


async def test_the_roles_of_everyone_do_not_take_a_robot_from_its_admins(
    service: Service,
) -> None:
    lead = await a_lead(service)
    await grants.add_grant(service.state, "op", "everyone", Role.PULL, Pattern("*"))
    await put(service, lead, APP)

    await put(service, lead, TEAM)

    shown = await robots.show_robot(service.state, lead, "ci")
    assert [str(each.pattern) for each in shown.grants] == ["team/*"]


async def test_a_robot_without_grants_is_the_owners(service: Service) -> None:
    lead = await a_lead(service)
    await put(service, lead, APP)
    await grants.remove_grant(service.state, "lead", "ci", APP)

    with pytest.raises(Absent):
        await robots.show_robot(service.state, lead, "ci")
    with pytest.raises(Conflict, match="taken"):
        await put(service, lead, APP)


async def test_more_robots_than_one_read_are_listed(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(robots, "_ROWS_PER_READ", 2)
    lead = await a_lead(service)
    for number in range(7):
        given = [(Role.PULL, OTHER if number % 3 else APP)]
        await tokens.add_robot(service.state, "op", f"r{number}", given, life_ms=None)

    found = await robots.list_robots(service.state, lead, last="r0", limit=5)

    assert [each.principal.name for each in found] == ["r3", "r6"]
