"""Start: named steps in their order, each with the step that undoes it."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import structlog

from runner.errors import Conflict, RunnerError
from runner.linux.mounts import mount, unmount
from runner.runtime import bundle, rootfs
from runner.runtime.errors import CommandNotExecutable, CommandNotFound, NotRunning, RuntimeRefused
from runner.runtime.oci_spec.spec import Placement, runtime_spec
from runner.runtime.oci_spec.users import User, find_user
from runner.services import files
from runner.services.lifecycle import State
from runner.services.outside import Outside
from runner.services.tracked import Places, Tracked
from runner.storage.records import NotRecorded
from runner.tasks.threads import in_thread

log = structlog.get_logger()

# What the docker command exits with for each; 128 for any other refusal of a start.
_EXIT_CODES: Final[tuple[tuple[type[RunnerError], int], ...]] = (
    (CommandNotFound, 127),
    (CommandNotExecutable, 126),
)
_OTHER_EXIT_CODE: Final = 128

_Do = Callable[[Outside, Tracked], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Step:
    """``undo`` may be called after a ``do`` that failed half-way, and may be repeated."""

    name: str
    do: _Do
    undo: _Do


class StartFailed(RunnerError):
    """This machine could not do a step of a start; the text says which, and why."""


class StartAborted(Conflict):
    """A kill, a stop, a forced removal or the daemon's stop came before the program ran."""

    def __init__(self, container: str) -> None:
        super().__init__(f"the start of container {container} was aborted")


async def start(outside: Outside, tracked: Tracked) -> None:
    """Take a container from created or stopped to running; or leave it as it was, and say why.

    Whatever a step fails with is undone and told as a RunnerError; a cancellation too, as
    StartAborted.
    """
    tracked.at_rest = asyncio.Event()
    try:
        async with AsyncExitStack() as undo:
            for step in STEPS:
                undo.push_async_callback(_undo, step, outside, tracked)
                await _do(step, outside, tracked)
            undo.pop_all()
    except RunnerError as error:
        await _record_failure(outside, tracked, error)
        raise
    finally:
        if tracked.state is not State.RUNNING:
            tracked.at_rest.set()


async def _do(step: Step, outside: Outside, tracked: Tracked) -> None:
    try:
        await step.do(outside, tracked)
    except RunnerError:
        raise
    except asyncio.CancelledError:
        raise StartAborted(tracked.id) from None
    except OSError as error:
        log.warning("start failed", container=tracked.id, step=step.name, error=str(error))
        raise StartFailed(f"cannot {step.name}: {error}") from error
    except Exception as error:
        log.exception("start failed", container=tracked.id, step=step.name)
        detail = f"{type(error).__name__}: {error}"
        raise StartFailed(f"cannot {step.name}: internal error: {detail}") from error


async def _undo(step: Step, outside: Outside, tracked: Tracked) -> None:
    """Undo a step; one that cannot be undone now is cleaned up before the next start."""
    try:
        await step.undo(outside, tracked)
    except (RunnerError, OSError) as error:
        log.warning("not undone", container=tracked.id, step=step.name, error=str(error))


async def _record_failure(outside: Outside, tracked: Tracked, error: RunnerError) -> None:
    codes = (code for kind, code in _EXIT_CODES if isinstance(error, kind))
    code = next(codes, _OTHER_EXIT_CODE)
    # The reason is told in any case; a full disk may not take it down.
    with suppress(NotRecorded):
        await outside.observe(tracked, error=str(error), exit_code=code)


async def release(outside: Outside, tracked: Tracked) -> None:
    """Undo every step, whoever did them: nothing is left of the run but its log."""
    if tracked.monitored is not None:
        tracked.monitored.close()
        tracked.monitored = None
    await asyncio.gather(
        outside.runtime.delete(tracked.id, force=True), in_thread(clear, tracked.places)
    )
    outside.monitor.forget(tracked.id)


async def _make_bundle(outside: Outside, tracked: Tracked) -> None:
    if not tracked.rootfs_mounts:
        tracked.rootfs_mounts = await outside.snapshotter.mounts(tracked.id)
    await in_thread(_write_bundle, outside, tracked)


async def _remove_bundle(outside: Outside, tracked: Tracked) -> None:
    tracked.spec = None
    await in_thread(clear, tracked.places)


async def _create_process(outside: Outside, tracked: Tracked) -> None:
    tracked.monitored = await outside.monitor.create(tracked.launch)
    # The container has copies of its own; those on this host would only keep volumes busy.
    await in_thread(unmount, tracked.places.rootfs, patience_seconds=0)


async def _delete_process(outside: Outside, tracked: Tracked) -> None:
    if tracked.monitored is not None:
        tracked.monitored.close()
        tracked.monitored = None
    with suppress(RuntimeRefused):
        await outside.runtime.delete(tracked.id, force=True)


async def _connect_streams(outside: Outside, tracked: Tracked) -> None:
    await connect_streams(tracked)


async def _disappoint_streams(outside: Outside, tracked: Tracked) -> None:
    for streams in tracked.attaching:
        streams.give_up()
    tracked.attaching.clear()


async def _run_program(outside: Outside, tracked: Tracked) -> None:
    assert tracked.monitored is not None
    await outside.runtime.start(tracked.id)
    await outside.observe(
        tracked,
        state=State.RUNNING,
        pid=tracked.monitored.pid,
        started_at=datetime.now(UTC),
        finished_at=None,
        exit_code=0,
        error="",
        oom_killed=False,
    )
    # Whoever attached while the program was starting.
    await connect_streams(tracked)


async def _nothing(outside: Outside, tracked: Tracked) -> None:
    """The step before has the undoing of both."""


STEPS: tuple[Step, ...] = (
    Step("make the bundle", _make_bundle, _remove_bundle),
    Step("create the process", _create_process, _delete_process),
    Step("connect the streams", _connect_streams, _disappoint_streams),
    Step("run the program", _run_program, _nothing),
)


async def connect_streams(tracked: Tracked) -> None:
    """Give everyone who attached early the container's real streams."""
    while tracked.attaching and tracked.monitored is not None:
        awaited = tracked.attaching.pop(0)
        if awaited.closed:
            continue
        try:
            await awaited.connect(await tracked.monitored.attach())
        except NotRunning:
            # It has ended already, and with it its streams.
            awaited.give_up()


def _write_bundle(outside: Outside, tracked: Tracked) -> None:
    """Mount the rootfs and write what the runtime reads; blocking, all of it short."""
    places, desired = tracked.places, tracked.desired
    mounts = tuple(point.to_option() for point in desired.mounts)
    bundle.prepare_sources(mounts)
    places.directory.mkdir(parents=True, exist_ok=True, mode=0o711)
    places.rootfs.mkdir(parents=True, exist_ok=True, mode=0o700)
    for one in tracked.rootfs_mounts:
        mount(one, places.rootfs)
    files.write_files(places.directory, desired.options, desired.hostname)
    placement = Placement(
        tracked.id,
        desired.hostname,
        places.rootfs,
        _user(tracked),
        places.directory,
        f"/slipway/{tracked.id}",
        mounts,
    )
    spec = runtime_spec(desired.image, desired.options, placement, outside.host)
    rootfs.check_kernel_directories(places.rootfs)
    rootfs.cover(places.rootfs)
    tracked.spec = rootfs.mount_all(places.rootfs, spec)
    bundle.write_bundle(places.bundle, tracked.spec)


def _user(tracked: Tracked) -> User:
    desired = tracked.desired
    root = os.open(tracked.places.rootfs, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        text = desired.options.user or desired.image.user
        return find_user(root, text, desired.options.group_add)
    finally:
        os.close(root)


def clear(places: Places) -> None:
    """Unmount the rootfs and remove the bundle, if they are there; blocking."""
    # Twice: a start that did not come to its end left its cover, with the mounts below it.
    unmount(places.rootfs)
    unmount(places.rootfs)
    with suppress(FileNotFoundError):
        places.rootfs.rmdir()
    bundle.remove_bundle(places.bundle)
