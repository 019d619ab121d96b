"""Remove: everything a container has on this host, and then its record."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Final

from runner.services.containers.dependencies import ContainerDeps
from runner.services.containers.handle import ContainerHandle
from runner.services.containers.lifecycle import State
from runner.services.containers.mount_points import forget_volume
from runner.storage.files.deletion import remove as remove_tree
from runner.storage.records import NotRecorded
from runner.tasks.threads import in_thread

_PAUSES_SECONDS: Final = (0.05, 0.2, 0.5, 1.0, 2.0)


async def remove(deps: ContainerDeps, handle: ContainerHandle) -> None:
    """Forget a container that is at rest; killed in the middle, the next daemon goes on.

    After a failure the container is as it was, and its removal may be asked for again.
    """
    before = handle.observed
    handle.observed = replace(before, state=State.REMOVING)
    try:
        await _remove(deps, handle)
    except BaseException:
        handle.observed = before
        raise


async def _remove(deps: ContainerDeps, handle: ContainerHandle) -> None:
    if not handle.desired.options.auto_remove:
        # One that removes itself will be removed by the next daemon anyway.
        with suppress(NotRecorded):
            # A full disk is a reason to remove, not one to refuse it.
            await deps.save(handle)
    for streams in handle.attaching:
        streams.fail()
    await asyncio.gather(
        deps.snapshotter.remove(handle.id), in_thread(remove_tree, handle.paths.directory)
    )
    await _forget_record(deps, handle)


async def _forget_record(deps: ContainerDeps, handle: ContainerHandle) -> None:
    """On a full disk, the files that are being removed make room for saying so."""
    for pause in _PAUSES_SECONDS:
        try:
            await deps.records.containers.remove(handle.id)
        except NotRecorded:
            await asyncio.sleep(pause)
        else:
            return
    await deps.records.containers.remove(handle.id)


async def unclaim_volumes(deps: ContainerDeps, handle: ContainerHandle) -> None:
    """Let the anonymous volumes go with the container, also when the daemon is killed between."""
    with suppress(OSError):
        # A full disk is a reason to remove, not one to refuse it.
        await deps.volumes.unclaim(
            point.volume for point in handle.desired.mounts if point.anonymous
        )


async def remove_volumes(deps: ContainerDeps, handle: ContainerHandle) -> None:
    """Remove the anonymous volumes that a container, now gone, has brought."""
    for point in handle.desired.mounts:
        if point.anonymous:
            await forget_volume(deps.volumes, point.volume)
