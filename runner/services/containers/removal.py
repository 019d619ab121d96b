"""Remove a container's files, snapshot and volumes, then its record."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Final

from runner.services.containers.dependencies import ContainerDeps
from runner.services.containers.handle import ContainerHandle
from runner.services.containers.lifecycle import State
from runner.services.containers.mount_points import remove_anonymous_volume
from runner.storage.files.deletion import remove as remove_tree
from runner.storage.records.contract import NotRecorded
from runner.tasks.threads import in_thread

_PAUSES_SECONDS: Final = (0.05, 0.2, 0.5, 1.0, 2.0)


async def remove(deps: ContainerDeps, handle: ContainerHandle) -> None:
    """Remove a container without a run; a killed daemon's removal is finished by the next.

    After a failure the container's state is unchanged, and the removal may be retried.
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
        # A container with --rm will be removed by the next daemon anyway.
        with suppress(NotRecorded):
            # A full disk must not prevent a removal, which frees space.
            await deps.save(handle)
    for streams in handle.attaching:
        streams.fail()
    await asyncio.gather(
        deps.snapshotter.remove(handle.id), in_thread(remove_tree, handle.paths.directory)
    )
    await _remove_record(deps, handle)


async def _remove_record(deps: ContainerDeps, handle: ContainerHandle) -> None:
    """Remove the record; on a full disk, wait for the removed files to free space first."""
    for pause in _PAUSES_SECONDS:
        try:
            await deps.records.containers.remove(handle.id)
        except NotRecorded:
            await asyncio.sleep(pause)
        else:
            return
    await deps.records.containers.remove(handle.id)


async def mark_volumes_for_removal(deps: ContainerDeps, handle: ContainerHandle) -> None:
    """Mark the anonymous volumes for removal with the container, even if the daemon is killed."""
    with suppress(OSError):
        # A full disk must not prevent a removal, which frees space.
        await deps.volumes.mark_for_removal(
            point.volume for point in handle.desired.mounts if point.anonymous
        )


async def remove_volumes(deps: ContainerDeps, handle: ContainerHandle) -> None:
    """Remove the anonymous volumes of a removed container."""
    for point in handle.desired.mounts:
        if point.anonymous:
            await remove_anonymous_volume(deps.volumes, point.volume)
