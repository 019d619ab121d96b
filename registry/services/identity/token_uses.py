"""TokenUses: when and from where tokens were last used, written some time later in one unit."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from oci.errors import OCIError
from registry.jobs.scheduler import Job
from registry.services.context import RegistryState
from registry.storage.database.contract import Connection, Database
from registry.storage.metadata.identity import tokens

MAX_WAITING = 10_000
FLUSH_SECONDS = 60.0


class TokenUses:
    """Uses since the last flush: a crash loses those, and no request waits for them."""

    def __init__(self) -> None:
        self._waiting: dict[str, tuple[int, str]] = {}

    def add(self, token: str, at: int, address: str) -> None:
        if token in self._waiting or len(self._waiting) < MAX_WAITING:
            self._waiting[token] = (at, address)

    async def flush(self, database: Database) -> None:
        """Write the uses; those of a failed write are lost."""
        uses, self._waiting = self._waiting, {}
        if not uses:
            return

        def unit(connection: Connection) -> None:
            tokens.record_uses(connection, uses)

        await database.write(unit, on=None, purpose="token uses")


@contextlib.asynccontextmanager
async def recording_uses(state: RegistryState, uses: TokenUses) -> AsyncIterator[None]:
    """Write the last uses when the block ends."""
    try:
        yield
    finally:
        with contextlib.suppress(OCIError):
            await uses.flush(state.database)


def uses_job(state: RegistryState, uses: TokenUses) -> Job:
    return Job("token uses", FLUSH_SECONDS, lambda: uses.flush(state.database))
