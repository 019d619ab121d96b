"""Open uploads: every session there is, in any repository, for whoever operates the registry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from registry.services.context import RegistryState
from registry.storage.database.contract import Connection
from registry.storage.metadata import audit, uploads
from registry.storage.metadata.uploads import OpenUpload


@dataclass(frozen=True, slots=True)
class UploadStatus:
    """An open session, and how far it has come."""

    upload: OpenUpload
    idle_ms: int
    """About how long it has had no request: 0 while one is working on it."""
    bytes: int


async def list_uploads(shared: RegistryState) -> Sequence[UploadStatus]:
    """Every open session, the oldest first."""
    opened = await shared.database.operator.read(uploads.opened)
    return [await status_of(shared, upload) for upload in opened]


async def status_of(shared: RegistryState, upload: OpenUpload) -> UploadStatus:
    idle = max(0, shared.clock.wall_ms() - upload.touched_at)
    if shared.locks.is_known(upload.id):
        idle = shared.locks.idle_ms(upload.id)
    if shared.locks.is_held(upload.id):
        idle = 0
    return UploadStatus(upload, idle, await shared.store.offset(upload.id) or 0)


async def cancel_uploads(
    shared: RegistryState, identity: str, choose: Callable[[OpenUpload], bool]
) -> Sequence[OpenUpload]:
    """End the sessions that are chosen, and drop their bytes; those that were ended.

    A request that is working on one is refused at its end, as if its client had cancelled it.
    """
    return [
        upload
        for upload in await shared.database.operator.read(uploads.opened)
        if choose(upload) and await cancel_upload(shared, identity, upload)
    ]


async def cancel_upload(shared: RegistryState, identity: str, upload: OpenUpload) -> bool:
    """End one session; False if it has ended, or become a blob, meanwhile."""

    def unit(connection: Connection) -> bool:
        if not uploads.take(connection, upload.repository, upload.id):
            return False
        change = shared.begin_change(connection, identity)
        audit.append(connection, change, "upload.cancel", str(upload.repository), upload.id)
        return True

    if not await shared.database.write(unit, on=upload.repository):
        return False
    # The row first: a file without a row is swept, a row without a file would be a broken session.
    await shared.store.discard(upload.id)
    return True
