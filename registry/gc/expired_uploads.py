"""Expired uploads: end sessions that were idle or open for too long."""

from __future__ import annotations

from functools import partial

from registry.gc.file_removal import try_to_remove
from registry.gc.report import GcReport
from registry.gc.throttle import LockThrottle
from registry.services.context import RegistryState
from registry.services.cutoffs import present_epoch
from registry.storage.database.contract import Connection
from registry.storage.metadata import uploads
from registry.storage.metadata.uploads import OpenUpload
from registry.storage.retention import SLACK_MS


async def expire_uploads(state: RegistryState, throttle: LockThrottle, report: GcReport) -> None:
    """End the expired sessions; the row is deleted first, then the bytes.

    A session in use by a request is not ended, however old it is.
    """
    for upload in await find_expired(state):
        if state.sessions.is_held(upload.id):
            continue
        async with state.sessions.lock(upload.id):
            size = await state.received(upload.id)
            if not await throttle.run(partial(delete_row, upload)):
                continue
            # A file that cannot be removed is now an orphan, which the next sweep tries again.
            await try_to_remove(state, state.discard(upload.id), upload.id, report)
        report.uploads += 1
        report.upload_bytes += size or 0


async def find_expired(state: RegistryState, *, ahead: int = 0) -> list[OpenUpload]:
    """The sessions that have expired, or will have after ``ahead`` more epochs."""
    opened = await state.database.operator.read(uploads.list_open)
    epoch = await present_epoch(state) + ahead
    state.sessions.evict_idle(state.limits.idle_ms, but={upload.id for upload in opened})
    return [upload for upload in opened if is_expired(state, upload, epoch)]


def is_expired(state: RegistryState, upload: OpenUpload, epoch: int) -> bool:
    """Idle time is measured in this process, in monotonic time; age like a lease's.

    Idle time from before this process is measured like age, so that a restart does not prolong it.
    """
    limits, retention, now = state.limits, state.retention, state.clock.wall_ms()
    if state.sessions.idle_ms(upload.id) >= limits.idle_ms:
        return True

    def has_passed(duration_ms: int, at: int, since_epoch: int) -> bool:
        is_old = at + duration_ms <= now or at > now + SLACK_MS
        return is_old and since_epoch + retention.epochs(duration_ms) <= epoch

    # A row's time may be older than the last request by this much.
    rest = limits.idle_ms + limits.touch_ms
    return has_passed(limits.max_age_ms, upload.created_at, upload.created_epoch) or has_passed(
        rest, upload.touched_at, upload.touched_epoch
    )


def delete_row(upload: OpenUpload, connection: Connection) -> bool:
    return uploads.end(connection, upload.repository, upload.id)
