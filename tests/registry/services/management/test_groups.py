"""Groups: made once, with a revision that counts the members."""

import pytest

from registry.errors import Absent, ConditionFailed, Conflict
from registry.services.identity import principals
from registry.services.management.conditions import Conditions
from registry.services.management.groups import put_group, remove_group, show_group
from tests.support.registry.storage import Service


async def test_a_group_is_made_once(service: Service) -> None:
    assert await put_group(service.state, "ada", "web")
    assert not await put_group(service.state, "ada", "web")

    actions = await service.rows("SELECT identity, action, target FROM audit")
    assert actions == [("ada", "group.add", "web")]


async def test_a_new_member_is_a_new_revision(service: Service) -> None:
    state = service.state
    await put_group(state, "ada", "web")
    await principals.add_user(state, "ada", "bob", password=None)
    before = (await show_group(state, "web")).revision

    await principals.add_member(state, "ada", "web", "bob")

    found = await show_group(state, "web")
    assert found.members == ("bob",)
    assert found.revision != before
    with pytest.raises(ConditionFailed):
        await remove_group(state, "ada", "web", Conditions(revisions=frozenset({before})))
    await remove_group(state, "ada", "web")
    with pytest.raises(Absent):
        await show_group(state, "web")


async def test_the_name_of_a_user_is_taken(service: Service) -> None:
    await principals.add_user(service.state, "ada", "bob", password=None)

    with pytest.raises(Conflict, match="a user bob already"):
        await put_group(service.state, "ada", "bob")
