"""Remove: everything a container has on this host, and then its record."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Final

from runner.services.lifecycle import State
from runner.services.mount_points import forget_volume
from runner.services.outside import Outside
from runner.services.tracked import Tracked
from runner.storage.files.deletion import remove as remove_tree
from runner.storage.records import NotRecorded
from runner.tasks.threads import in_thread

_PAUSES_SECONDS: Final = (0.05, 0.2, 0.5, 1.0, 2.0)


async def remove(outside: Outside, tracked: Tracked) -> None:
    """Forget a container that is at rest; killed in the middle, the next daemon goes on.

    After a failure the container is as it was, and its removal may be asked for again.
    """
    before = tracked.observed
    tracked.observed = replace(before, state=State.REMOVING)
    try:
        await _remove(outside, tracked)
    except BaseException:
        tracked.observed = before
        raise


async def _remove(outside: Outside, tracked: Tracked) -> None:
    if not tracked.desired.options.auto_remove:
        # One that removes itself will be removed by the next daemon anyway.
        with suppress(NotRecorded):
            # A full disk is a reason to remove, not one to refuse it.
            await outside.save(tracked)
    for streams in tracked.attaching:
        streams.give_up()
    await asyncio.gather(
        outside.snapshotter.remove(tracked.id), in_thread(remove_tree, tracked.places.directory)
    )
    await _forget_record(outside, tracked)


async def _forget_record(outside: Outside, tracked: Tracked) -> None:
    """On a full disk, the files that are being removed make room for saying so."""
    for pause in _PAUSES_SECONDS:
        try:
            await outside.records.containers.remove(tracked.id)
        except NotRecorded:
            await asyncio.sleep(pause)
        else:
            return
    await outside.records.containers.remove(tracked.id)


async def unclaim_volumes(outside: Outside, tracked: Tracked) -> None:
    """Let the anonymous volumes go with the container, also when the daemon is killed between."""
    with suppress(OSError):
        # A full disk is a reason to remove, not one to refuse it.
        await outside.volumes.unclaim(
            point.volume for point in tracked.desired.mounts if point.anonymous
        )


async def remove_volumes(outside: Outside, tracked: Tracked) -> None:
    """Remove the anonymous volumes that a container, now gone, has brought."""
    for point in tracked.desired.mounts:
        if point.anonymous:
            await forget_volume(outside.volumes, point.volume)
