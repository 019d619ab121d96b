"""After a crash: whether the database itself is whole."""

from __future__ import annotations

from collections.abc import Sequence

from registry.errors import StorageUnreadable
from registry.services.context import RegistryState


async def check_database(state: RegistryState) -> Sequence[str]:
    """Check the database's file; returns the errors found, after which nothing is written."""
    try:
        wrong = await state.database.operator.find_errors(deep=False)
    except StorageUnreadable as error:
        wrong = [str(error)]
    if wrong:
        state.guard.make_read_only(f"the database is corrupt: {wrong[0]}")
    return wrong
