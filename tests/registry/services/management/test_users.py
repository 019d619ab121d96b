"""Users: one transaction for all that changes, with its rows in the audit."""

from typing import Any

import pytest

from registry.errors import Absent, ConditionFailed, Conflict, Invalid
from registry.services.management.conditions import Conditions
from registry.services.management.users import UserChange, change_user, put_user, remove_user
from tests.support.registry.storage import Service

PASSWORD = "a password of this test"  # noqa: S105


async def audit(service: Service) -> list[tuple[Any, ...]]:
    return await service.rows("SELECT identity, action, target, detail FROM audit ORDER BY id")


async def test_each_change_is_in_the_audit_without_a_password(service: Service) -> None:
    await put_user(service.state, "ada", "bob", UserChange(is_auditor=True, password=PASSWORD))
    await put_user(service.state, "ada", "bob", UserChange(is_auditor=True))
    await change_user(service.state, "ada", "bob", UserChange(removes_password=True))
    await remove_user(service.state, "ada", "bob")

    assert await audit(service) == [
        ("ada", "user.add", "bob", ""),
        ("ada", "user.change", "bob", "is_auditor=1"),
        ("ada", "user.password", "bob", ""),
        ("ada", "user.password", "bob", ""),
        ("ada", "user.remove", "bob", ""),
    ]


async def test_a_refused_change_leaves_nothing_behind(service: Service) -> None:
    await put_user(service.state, "op", "ada", UserChange(is_owner=True))
    before = await service.rows("SELECT * FROM principals"), await audit(service)
    both = UserChange(is_owner=False, password=PASSWORD)
    contradiction = UserChange(password=PASSWORD, removes_password=True)
    stale = Conditions(revisions=frozenset({"99"}))

    for change, conditions, error in (
        (both, Conditions(), Conflict),
        (contradiction, Conditions(), Invalid),
        (UserChange(is_auditor=True), stale, ConditionFailed),
    ):
        with pytest.raises(error):
            await change_user(service.state, "ada", "ada", change, conditions)
    with pytest.raises(Absent):
        await change_user(service.state, "ada", "bob", UserChange())
    with pytest.raises(ConditionFailed):
        await remove_user(service.state, "ada", "ada", stale)

    assert (await service.rows("SELECT * FROM principals"), await audit(service)) == before


async def test_the_first_user_opens_the_registry_to_credentials(service: Service) -> None:
    assert not service.state.identities.exist

    written = await put_user(service.state, "op", "ada", UserChange(is_disabled=True))

    assert written.is_new
    assert written.found.disabled_at is not None
    assert service.state.identities.exist
