"""Create: from what was asked to a container that can start; all of it or nothing."""

from contextlib import AsyncExitStack
from datetime import UTC, datetime

from oci.descriptor import Platform
from runner.errors import BadRequest, NotFound
from runner.runtime.oci_spec import spec
from runner.schema import ContainerOptions
from runner.services import files, mount_points, names
from runner.services.container import DEFAULT_STOP_SIGNAL, Desired, MountPoint, Observed
from runner.services.images.store import Image
from runner.services.outside import Outside
from runner.services.signals import parse_signal
from runner.services.tracked import Tracked
from runner.storage.files.deletion import remove
from runner.storage.records import NameInUse
from runner.tasks.threads import in_thread


async def create(
    outside: Outside, options: ContainerOptions, name: str | None, platform: str | None
) -> tuple[Tracked, tuple[str, ...]]:
    """Make a container and its record; returns it with warnings, each a sentence for the user.

    Raises NoSuchImage, NameInUse, or BadRequest for an option that makes no sense: whatever
    ``start`` would refuse and can be known now is refused now.
    """
    name = _free_name(outside, name)
    image = _image(outside, options.image, platform)
    with outside.images.keep(image):
        tracked, warnings = await _create(outside, options, name, image)
    outside.tell(tracked, "create")
    return tracked, warnings


async def _create(
    outside: Outside, options: ContainerOptions, name: str, image: Image
) -> tuple[Tracked, tuple[str, ...]]:
    spec.command(image.config, options)
    files.check_extra_hosts(options)
    stop_signal = options.stop_signal or image.config.stop_signal or DEFAULT_STOP_SIGNAL
    parse_signal(stop_signal)
    warnings = spec.check_options(options, outside.host)
    identifier = names.new_id()
    hostname = files.choose_hostname(options, identifier)
    async with AsyncExitStack() as undo:
        points = await mount_points.decide(image.config, options, outside.volumes, undo)
        timeout = options.stop_timeout
        desired = Desired(
            datetime.now(UTC),
            image.id,
            image.config,
            options,
            hostname,
            stop_signal,
            outside.settings.stop_timeout_seconds if timeout is None else timeout,
            points,
        )
        places = outside.places(identifier)
        tracked = Tracked(identifier, name, desired, Observed(), places)
        with outside.volumes.hold([point.volume for point in points if point.volume]):
            await _prepare_rootfs(outside, tracked, points, undo)
            await outside.save(tracked)
        # Recorded, and so it exists.
        undo.pop_all()
    await outside.volumes.claim(point.volume for point in points if point.anonymous)
    return tracked, warnings


async def _prepare_rootfs(
    outside: Outside, tracked: Tracked, points: tuple[MountPoint, ...], undo: AsyncExitStack
) -> None:
    diff_ids = tracked.desired.image.diff_ids
    tracked.rootfs_mounts = await outside.snapshotter.prepare(tracked.id, diff_ids)
    undo.push_async_callback(outside.snapshotter.remove, tracked.id)
    # There from now on, so that its log can be waited for.
    await in_thread(tracked.places.directory.mkdir, parents=True, mode=0o711)
    undo.push_async_callback(in_thread, remove, tracked.places.directory)
    await mount_points.fill_volumes(
        points, tracked.places.rootfs, tracked.rootfs_mounts, outside.volumes
    )


def _free_name(outside: Outside, name: str | None) -> str:
    if name is None:
        return names.made_up_name(lambda text: outside.records.container_named(text) is not None)
    owner = outside.records.container_named(names.check_container_name(name))
    if owner is not None:
        raise NameInUse(name, owner.id)
    return name


def _image(outside: Outside, name: str, platform: str | None) -> Image:
    image = outside.images.find(name)
    if platform:
        wanted, found = Platform.parse(platform), image.config.platform
        same = (wanted.os, wanted.architecture) == (found.os, found.architecture)
        if not same or (wanted.variant and found.variant not in ("", wanted.variant)):
            raise NotFound(f"No such image: {name} for {wanted}: the one here is for {found}")
    if image.config.platform.os != "linux":
        raise BadRequest(f"image {name} is for {image.config.platform}, expected linux")
    return image
