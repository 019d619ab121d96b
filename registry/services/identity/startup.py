"""Startup: the rows of identities that a server reads at its start."""

from __future__ import annotations

from registry.services.context import RegistryState
from registry.storage.metadata.identity import keys, principals


async def load_identities(state: RegistryState) -> None:
    """Find out whether there is anybody to sign in."""
    for kind in ("user", "robot"):
        if await state.database.look(principals.ANY, kind) is not None:
            state.identities.exist = True


async def signing_key(state: RegistryState) -> bytes:
    return await state.database.read(keys.newest)
