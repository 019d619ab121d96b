"""TokenUses: when and from where tokens were last used, written some time later, many at once."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from functools import partial

from oci.errors import OCIError
from registry.jobs.scheduler import Job
from registry.services.context import RegistryState
from registry.storage.database.contract import Connection, Database
from registry.storage.metadata.identity import tokens

MAX_WAITING = 10_000
FLUSH_SECONDS = 60.0
# Uses per transaction: a few milliseconds of the write lock.
USES_PER_BATCH = 200

Use = tuple[int, str]
"""The time of a use, in milliseconds, and the network that it came from."""


class TokenUses:
    """Uses since the last flush: a crash loses those, and no request waits for them."""

    def __init__(self) -> None:
        self._waiting: dict[str, Use] = {}

    def add(self, token: str, at: int, address: str) -> None:
        if token in self._waiting or len(self._waiting) < MAX_WAITING:
            self._waiting[token] = (at, address)

    async def flush(self, database: Database) -> None:
        """Write the uses; those of a failed write are lost."""
        uses, self._waiting = self._waiting, {}
        waiting = list(uses.items())
        for start in range(0, len(waiting), USES_PER_BATCH):
            batch = dict(waiting[start : start + USES_PER_BATCH])
            await database.write(partial(record, batch), on=None, purpose="token uses")


def record(uses: Mapping[str, Use], connection: Connection) -> None:
    tokens.record_uses(connection, uses)


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
