"""Read-only: writing is stopped after a failure, until an operator allows it again."""

from __future__ import annotations

import asyncio

from registry.services.context import RegistryState
from registry.storage.database.contract import Connection
from registry.storage.metadata import audit


async def allow_writes(state: RegistryState, identity: str) -> str | None:
    """Allow writing again; the reason why it was stopped, or None if it was not.

    Raises OSError while no file can be created on the disk.
    """
    reason = await asyncio.to_thread(state.guard.allow_writes)

    def unit(connection: Connection) -> None:
        change = state.begin_change(connection, identity)
        audit.append(connection, change, "unlatch", "", "", reason or "")

    if reason is not None:
        await state.database.write(unit, on=None)
    return reason
