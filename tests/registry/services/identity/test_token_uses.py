"""TokenUses: written later, many in one short transaction, lost only with a failed write."""

import pytest

from registry.errors import StorageFailed
from registry.services.identity import token_uses, tokens
from registry.services.identity.token_uses import TokenUses, recording_uses, uses_job
from registry.storage.database.contract import Database
from tests.support.registry.databases import RerunningDatabase
from tests.support.registry.identity_services import IdentityServices


async def last_uses(identified: IdentityServices) -> dict[str, tuple[int | None, str | None]]:
    found = await tokens.list_tokens(identified.state, None)
    return {each.id: (each.last_used_at, each.last_used_from) for each in found}


def written(identified: IdentityServices) -> int:
    database = identified.service.database
    assert isinstance(database, RerunningDatabase)
    return [each.purpose for each in database.written].count("token uses")


async def test_the_last_use_of_each_token_is_written_and_no_use_twice(
    identified: IdentityServices,
) -> None:
    one, other = await identified.robot("ci"), await identified.robot("cd")
    uses = TokenUses()
    for at, address in ((1, "192.0.2.1"), (2, "192.0.2.2")):
        uses.add(one.id, at, address)

    await uses.flush(identified.state.database)
    await uses.flush(identified.state.database)

    assert await last_uses(identified) == {one.id: (2, "192.0.2.2"), other.id: (None, None)}
    assert written(identified) == 1


async def test_many_uses_are_written_in_several_transactions(
    identified: IdentityServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_uses, "USES_PER_BATCH", 2)
    secrets = [await identified.robot(f"ci{number}") for number in range(5)]
    uses = TokenUses()
    for secret in secrets:
        uses.add(secret.id, 7, "192.0.2.1")

    await uses.flush(identified.state.database)

    assert set((await last_uses(identified)).values()) == {(7, "192.0.2.1")}
    assert written(identified) == 3


async def test_no_more_uses_wait_than_a_bound_and_the_known_ones_go_on(
    identified: IdentityServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_uses, "MAX_WAITING", 1)
    one, other = await identified.robot("ci"), await identified.robot("cd")
    uses = TokenUses()

    for at in (1, 2):
        for secret in (one, other):
            uses.add(secret.id, at, "192.0.2.1")
    await uses.flush(identified.state.database)

    assert await last_uses(identified) == {one.id: (2, "192.0.2.1"), other.id: (None, None)}


async def test_the_uses_are_written_by_a_job_and_at_the_end(identified: IdentityServices) -> None:
    secret = await identified.robot("ci")
    uses = TokenUses()

    async with recording_uses(identified.state, uses):
        uses.add(secret.id, 1, "192.0.2.1")
        await uses_job(identified.state, uses).run()
        assert await last_uses(identified) == {secret.id: (1, "192.0.2.1")}
        uses.add(secret.id, 2, "192.0.2.1")

    assert await last_uses(identified) == {secret.id: (2, "192.0.2.1")}


async def test_a_disk_that_fails_at_the_end_keeps_nobody_from_ending(
    identified: IdentityServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    uses = TokenUses()

    async def fail(_: Database) -> None:
        raise StorageFailed("no disk")

    monkeypatch.setattr(uses, "flush", fail)

    async with recording_uses(identified.state, uses):
        uses.add("token", 1, "192.0.2.1")
