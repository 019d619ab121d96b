"""Resolve a container's mounts, from its options and its image's volumes, at ``create``."""

import posixpath
from contextlib import AsyncExitStack, ExitStack, suppress
from pathlib import Path

from oci.image_config import ImageConfig
from runner.errors import BadRequest, RunnerError
from runner.linux.mounts import Mount
from runner.runtime.bundle import prepare_sources
from runner.runtime.contract import Mounter
from runner.runtime.rootfs import is_kernel_path
from runner.schema import ContainerOptions, MountOption
from runner.services.containers.container import MountPoint
from runner.services.names import new_id
from runner.services.volumes.copy_up import resolve_in_rootfs
from runner.services.volumes.volumes import Volumes
from runner.tasks.threads import in_thread


async def resolve_mounts(
    image: ImageConfig,
    options: ContainerOptions,
    volumes: Volumes,
    undo: AsyncExitStack,
    held: ExitStack,
) -> tuple[MountPoint, ...]:
    """Every mount of a container; volumes are made, the anonymous ones undone with ``undo``.

    Until ``held`` is closed nobody can remove a volume, from before it is made.

    A user's mount at a place replaces the image's declaration for it.  No
    image declares the kernel's file systems away: with a /dev of its own it would say itself what
    covers the masked paths (CVE-2025-31133).
    """
    points = [await _point(option, volumes, undo, held) for option in options.mounts]
    taken = {point.target for point in points}
    for declared in image.volumes:
        target = posixpath.normpath("/" + declared.lstrip("/"))
        if target != "/" and target not in taken and not is_kernel_path(target):
            taken.add(target)
            option = MountOption("volume", "", target)
            points.append(await _volume(option, volumes, undo, held))
    return tuple(points)


async def fill_volumes(
    points: tuple[MountPoint, ...],
    rootfs: Path,
    mounts: tuple[Mount, ...],
    volumes: Volumes,
    mounter: Mounter,
) -> None:
    """Copy the image's content at their targets into new volumes.

    Mounts the rootfs temporarily.
    """
    empty = [
        point
        for point in points
        if point.kind == "volume" and "nocopy" not in point.options and _is_empty(point.source)
    ]
    if not empty:
        return
    async with AsyncExitStack() as undo:
        await in_thread(rootfs.mkdir, parents=True, exist_ok=True, mode=0o700)
        undo.push_async_callback(in_thread, rootfs.rmdir)
        undo.push_async_callback(in_thread, mounter.unmount, rootfs)
        await in_thread(mounter.mount, mounts, rootfs)
        for point in empty:
            with ExitStack() as opened:
                source = opened.enter_context(resolve_in_rootfs(rootfs, point.target))
                if source is not None:
                    await volumes.fill(point.volume, source)


async def _point(
    option: MountOption, volumes: Volumes, undo: AsyncExitStack, held: ExitStack
) -> MountPoint:
    if option.kind == "volume":
        if option.target == "/dev":
            raise BadRequest(
                "invalid mount target /dev: a volume there would have the null device that covers "
                "masked files, and each container with the volume could replace it; mount below it"
            )
        return await _volume(option, volumes, undo, held)
    await in_thread(prepare_sources, (option,))
    return MountPoint(
        option.kind, option.source, option.target, option.read_only, options=option.options
    )


async def _volume(
    option: MountOption, volumes: Volumes, undo: AsyncExitStack, held: ExitStack
) -> MountPoint:
    anonymous = not option.source
    name = option.source or new_id()
    if anonymous:
        undo.push_async_callback(remove_anonymous_volume, volumes, name)
    held.enter_context(volumes.hold([name]))
    volume = await volumes.create(name, option.labels, anonymous=anonymous, keep=not anonymous)
    return MountPoint(
        "volume",
        str(volume.mountpoint),
        option.target,
        option.read_only,
        volume.name,
        option.options,
        anonymous,
    )


async def remove_anonymous_volume(volumes: Volumes, name: str) -> None:
    """Remove an anonymous volume unless another container uses it."""
    with suppress(RunnerError):
        await volumes.remove(name)


def _is_empty(source: str) -> bool:
    return not any(Path(source).iterdir())
