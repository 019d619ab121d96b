"""Accounts: a token belongs to one holder."""

import pytest

from registry.errors import Absent
from registry.services.identity import principals, tokens
from registry.services.identity.identity import Identity
from registry.services.management.accounts import holding, read_account
from tests.support.registry.storage import Service


async def test_a_foreign_token_is_not_revoked(service: Service) -> None:
    state = service.state
    for name in ("ada", "bob"):
        await principals.add_user(state, "op", name, password=None)
    minted = await tokens.mint_token(state, "op", "bob", label="", limits=None, life_ms=None)
    id = minted.secret.id

    with pytest.raises(Absent, match="ada has no token"):
        await tokens.revoke_token(state, "ada", id, holding("ada", id))
    assert [each.id for each in await tokens.list_tokens(state, "bob")] == [id]

    await tokens.revoke_token(state, "bob", id, holding("bob", id))
    assert await tokens.list_tokens(state, "bob") == []


async def test_an_account_that_was_removed_meanwhile_is_absent(service: Service) -> None:
    with pytest.raises(Absent):
        await read_account(service.state, Identity(99, "ada"))
