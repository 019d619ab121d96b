"""Create a container from its options, all or nothing."""

from collections.abc import Callable
from contextlib import AsyncExitStack, ExitStack
from datetime import UTC, datetime

from oci.descriptor import Platform
from runner.errors import BadRequest, Kind, NotFound
from runner.runtime.oci_spec import spec
from runner.schema import ContainerOptions
from runner.schema.options import NO_HEALTHCHECK
from runner.services import names
from runner.services.containers import etc_files, mount_points
from runner.services.containers.container import DEFAULT_STOP_SIGNAL, Desired, MountPoint, Observed
from runner.services.containers.dependencies import ContainerDeps
from runner.services.containers.handle import ContainerHandle
from runner.services.images.image import Image
from runner.services.signals import parse_signal
from runner.storage.files.deletion import remove
from runner.storage.records.contract import NameInUse, container_named
from runner.tasks.threads import in_thread


async def create(
    deps: ContainerDeps,
    options: ContainerOptions,
    name: str | None,
    platform: str | None,
    created: Callable[[ContainerHandle], None],
) -> tuple[ContainerHandle, tuple[str, ...]]:
    """Make a container and its record; returns it with warnings, each a sentence for the user.

    ``created`` is told of it as soon as it is recorded, while its image and its volumes are held:
    from then on it is what uses them.

    Raises NoSuchImage, NameInUse, or BadRequest for an option that makes no sense: whatever
    ``start`` would refuse and can be known now is refused now.
    """
    name = _free_name(deps, name)
    image = _image(deps, options.image, platform)
    with deps.images.keep(image):
        handle, warnings = await _create(deps, options, name, image, created)
    deps.publish(handle, "create")
    return handle, warnings


async def _create(
    deps: ContainerDeps,
    options: ContainerOptions,
    name: str,
    image: Image,
    created: Callable[[ContainerHandle], None],
) -> tuple[ContainerHandle, tuple[str, ...]]:
    spec.command(image.config, options)
    _check_healthcheck(options, image)
    etc_files.check_extra_hosts(options)
    stop_signal, doubts = _stop_signal(options, image)
    warnings = (*doubts, *spec.check_options(options, deps.host))
    identifier = names.new_id()
    hostname = etc_files.choose_hostname(options, identifier)
    async with AsyncExitStack() as undo:
        # Volumes are let go before what was made is undone: none that is held can be removed.
        with ExitStack() as held:
            points = await mount_points.resolve_mounts(
                image.config, options, deps.volumes, undo, held
            )
            timeout = options.stop_timeout
            desired = Desired(
                datetime.now(UTC),
                image.id,
                image.config,
                options,
                hostname,
                stop_signal,
                deps.settings.stop_timeout_seconds if timeout is None else timeout,
                points,
            )
            paths = deps.paths(identifier)
            handle = ContainerHandle(identifier, name, desired, Observed(), paths)
            await _prepare_rootfs(deps, handle, points, undo)
            await deps.save(handle)
            # The record is written: keep everything.
            created(handle)
            undo.pop_all()
    await deps.volumes.keep(point.volume for point in points if point.anonymous)
    return handle, warnings


async def _prepare_rootfs(
    deps: ContainerDeps,
    handle: ContainerHandle,
    points: tuple[MountPoint, ...],
    undo: AsyncExitStack,
) -> None:
    diff_ids = handle.desired.image.diff_ids
    handle.rootfs_mounts = await deps.snapshotter.prepare(handle.id, diff_ids)
    undo.push_async_callback(deps.snapshotter.remove, handle.id)
    # Created now, so that a follower of the log can watch the directory.
    await in_thread(handle.paths.directory.mkdir, parents=True, mode=0o711)
    undo.push_async_callback(in_thread, remove, handle.paths.directory)
    await mount_points.fill_volumes(
        points, handle.paths.rootfs, handle.rootfs_mounts, deps.volumes, deps.mounter
    )


def _check_healthcheck(options: ContainerOptions, image: Image) -> None:
    """Take the image's own, which ``inspect`` shows, and none; nothing runs any other."""
    given = options.healthcheck
    own = image.config.healthcheck
    if given and given != NO_HEALTHCHECK and given != (own.to_json() if own else {}):
        raise BadRequest(
            "Healthcheck: only the image's own, or none, is supported by this version of the runner"
        )


def _stop_signal(options: ContainerOptions, image: Image) -> tuple[str, tuple[str, ...]]:
    """The stop signal; BadRequest for an invalid option, a warning for an invalid image's."""
    if options.stop_signal:
        parse_signal(options.stop_signal)
        return options.stop_signal, ()
    try:
        signal = image.config.stop_signal or DEFAULT_STOP_SIGNAL
        parse_signal(signal)
    except BadRequest as error:
        return DEFAULT_STOP_SIGNAL, (f"{error}; the image's is not used",)
    return signal, ()


def _free_name(deps: ContainerDeps, name: str | None) -> str:
    if name is None:
        return names.generate_name(lambda text: container_named(deps.records, text) is not None)
    owner = container_named(deps.records, names.check_container_name(name))
    if owner is not None:
        raise NameInUse(name, owner.id)
    return name


def _image(deps: ContainerDeps, name: str, platform: str | None) -> Image:
    image = deps.images.find(name)
    if platform:
        wanted, found = Platform.parse(platform), image.config.platform
        if not found.matches(wanted):
            text = f"No such image: {name} for {wanted}: the one here is for {found}"
            raise NotFound(text, kind=Kind.IMAGE_ABSENT)
    if image.config.platform.normalized.os != "linux":
        raise BadRequest(f"image {name} is for {image.config.platform}, expected linux")
    return image
