"""Repository clearing: deleted repositories lose their rows, a few at a time."""

from __future__ import annotations

from registry.gc.report import Tally
from registry.gc.throttle import Pace
from registry.services.context import Shared
from registry.services.retention import trash_cutoff
from registry.storage.database.sqlite import Connection
from registry.storage.metadata.trash import repositories as deleted_repositories
from registry.storage.metadata.trash.put import Freed
from registry.storage.metadata.trash.repositories import Deleted

ROWS_AT_ONCE = 20


async def clear(shared: Shared, pace: Pace, tally: Tally) -> None:
    """Clear the repositories whose time to come back is over."""
    cutoff = await trash_cutoff(shared)
    for deleted in await shared.database.operator.read(
        lambda connection: deleted_repositories.due(connection, cutoff)
    ):
        while (freed := await clear_some(shared, pace, deleted)) is not None:
            tally.members += freed.members
            tally.blobs += freed.blobs
            tally.blob_bytes += freed.bytes
        tally.repositories += 1


async def clear_some(shared: Shared, pace: Pace, deleted: Deleted) -> Freed | None:
    def unit(connection: Connection) -> Freed | None:
        freed = deleted_repositories.clear_some(connection, deleted, ROWS_AT_ONCE)
        if freed is None:
            act = shared.begin(connection, "garbage collector")
            deleted_repositories.mark_cleared(connection, act, deleted)
        return freed

    return await pace.once(unit)
