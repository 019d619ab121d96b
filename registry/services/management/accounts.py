"""Accounts: all that counts for one caller."""

from __future__ import annotations

from dataclasses import dataclass

from registry.errors import Absent
from registry.services.context import RegistryState
from registry.services.identity.identity import Identity
from registry.services.identity.principals import Check, Principal, require
from registry.storage.database.contract import Connection
from registry.storage.metadata.identity import grants, principals, tokens
from registry.storage.metadata.identity.grants import Grant


@dataclass(frozen=True, slots=True)
class Account:
    """A principal with its groups, and with the grants that count for it."""

    principal: Principal
    groups: tuple[str, ...]
    grants: tuple[Grant, ...]


async def read_account(state: RegistryState, identity: Identity) -> Account:
    """Raises Absent for one that was removed meanwhile."""

    def unit(connection: Connection) -> Account:
        found = require(connection, identity.name, None)
        return Account(
            found,
            tuple(principals.groups_of(connection, found.id)),
            tuple(grants.held_by(connection, found.id)),
        )

    return await state.database.read(unit)


def holding(holder: str, token: str) -> Check:
    """The check that a token is the holder's: a foreign one is as absent as none (rule AZ-11)."""
    return lambda connection: check_token(connection, holder, token)


def check_token(connection: Connection, holder: str, token: str) -> None:
    """Raise Absent unless the token is the holder's."""
    found = tokens.BY_ID.first(connection, token)
    if found is None or found.principal != holder:
        raise Absent(f"{holder} has no token {token}")
