"""Open uploads: list and cancel sessions of any repository, for the operator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from registry.services.context import RegistryState
from registry.storage.database.contract import Connection
from registry.storage.metadata import audit, uploads
from registry.storage.metadata.uploads import OpenUpload

__all__ = ["OpenUpload", "UploadStatus", "cancel_upload", "cancel_uploads", "list_uploads"]


@dataclass(frozen=True, slots=True)
class UploadStatus:
    """An open session and its progress."""

    upload: OpenUpload
    idle_ms: int
    """Approximate time since its last request: 0 while one is in progress."""
    bytes: int


async def list_uploads(state: RegistryState) -> Sequence[UploadStatus]:
    """Every open session, oldest first."""
    opened = await state.database.operator.read(uploads.list_open)
    return [await status_of(state, upload) for upload in opened]


async def status_of(state: RegistryState, upload: OpenUpload) -> UploadStatus:
    idle = max(0, state.clock.wall_ms() - upload.touched_at)
    if state.sessions.is_known(upload.id):
        idle = state.sessions.idle_ms(upload.id)
    if state.sessions.is_held(upload.id):
        idle = 0
    return UploadStatus(upload, idle, await state.received(upload.id) or 0)


async def cancel_uploads(
    state: RegistryState, identity: str, choose: Callable[[OpenUpload], bool]
) -> Sequence[OpenUpload]:
    """End the chosen sessions and delete their bytes; returns those that were ended.

    A request in progress on one is refused at its end, as if its client had cancelled it.
    """
    return [
        upload
        for upload in await state.database.operator.read(uploads.list_open)
        if choose(upload) and await cancel_upload(state, identity, upload)
    ]


async def cancel_upload(state: RegistryState, identity: str, upload: OpenUpload) -> bool:
    """End one session; False if it has ended or been committed meanwhile."""

    def unit(connection: Connection) -> bool:
        if not uploads.end(connection, upload.repository, upload.id):
            return False
        change = state.begin_change(connection, identity)
        audit.append(connection, change, "upload.cancel", str(upload.repository), upload.id)
        return True

    if not await state.database.write(unit, on=upload.repository):
        return False
    # The row first: a file without a row is swept, a row without a file is a broken session.
    await state.discard(upload.id)
    return True
