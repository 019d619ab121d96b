"""Start a container by named steps in order, each with its undo."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import structlog

from runner.errors import Conflict, RunnerError
from runner.runtime import bundle
from runner.runtime.contract import RuntimeSpec
from runner.runtime.errors import CommandNotExecutable, CommandNotFound, NotRunning, RuntimeRefused
from runner.runtime.oci_spec.spec import Placement, runtime_spec
from runner.runtime.oci_spec.users import User, find_user
from runner.services.containers import etc_files
from runner.services.containers.dependencies import ContainerDeps
from runner.services.containers.handle import ContainerHandle, ContainerPaths, Run
from runner.services.containers.lifecycle import State
from runner.storage.records.contract import NotRecorded
from runner.tasks.threads import in_thread

log = structlog.get_logger()

# docker's exit codes for a failed start; 128 for any other error.
_EXIT_CODES: Final[tuple[tuple[type[RunnerError], int], ...]] = (
    (CommandNotFound, 127),
    (CommandNotExecutable, 126),
)
_OTHER_EXIT_CODE: Final = 128

_Do = Callable[[ContainerDeps, ContainerHandle, Run], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Step:
    """``undo`` may be called after a ``do`` that failed half-way, and may be repeated."""

    name: str
    do: _Do
    undo: _Do


class StartFailed(RunnerError):
    """A step of a start failed; the message names the step and the cause."""


class StartAborted(Conflict):
    """A kill, a stop, a forced removal or the daemon's stop came before the program ran."""

    def __init__(self, container: str) -> None:
        super().__init__(f"the start of container {container} was aborted")


async def start(deps: ContainerDeps, handle: ContainerHandle, run: Run) -> None:
    """Start a created or stopped container; on failure its state is restored, its run released.

    Any failure of a step is undone and raised as a RunnerError; a cancellation as StartAborted.

    Hot path: run.
    """
    try:
        async with AsyncExitStack() as undo:
            for step in STEPS:
                undo.push_async_callback(_undo, step, deps, handle, run)
                await _do(step, deps, handle, run)
            undo.pop_all()
    except RunnerError as error:
        await _record_failure(deps, handle, error)
        raise


async def _do(step: Step, deps: ContainerDeps, handle: ContainerHandle, run: Run) -> None:
    try:
        await step.do(deps, handle, run)
    except RunnerError:
        raise
    except asyncio.CancelledError:
        raise StartAborted(handle.id) from None
    except OSError as error:
        log.warning("start failed", container=handle.id, step=step.name, error=str(error))
        raise StartFailed(f"cannot {step.name}: {error}") from error
    except Exception as error:
        log.exception("start failed", container=handle.id, step=step.name)
        detail = f"{type(error).__name__}: {error}"
        raise StartFailed(f"cannot {step.name}: internal error: {detail}") from error


async def _undo(step: Step, deps: ContainerDeps, handle: ContainerHandle, run: Run) -> None:
    """Undo a step; a failure is logged, and cleaned up before the next start."""
    try:
        await step.undo(deps, handle, run)
    except (RunnerError, OSError) as error:
        log.warning("not undone", container=handle.id, step=step.name, error=str(error))


async def _record_failure(deps: ContainerDeps, handle: ContainerHandle, error: RunnerError) -> None:
    codes = (code for kind, code in _EXIT_CODES if isinstance(error, kind))
    code = next(codes, _OTHER_EXIT_CODE)
    # The error is raised even if a full disk cannot record it.
    with suppress(NotRecorded):
        await deps.observe(handle, error=str(error), exit_code=code)


async def release(deps: ContainerDeps, handle: ContainerHandle) -> None:
    """Undo every step of a run, even one of an earlier daemon; only its log remains."""
    if handle.run is not None:
        handle.run.disconnect()
    await asyncio.gather(
        deps.runtime.delete(handle.id, force=True),
        in_thread(remove_runtime_files, deps, handle.paths),
    )
    deps.monitor.discard_exit(handle.id)


async def _make_bundle(deps: ContainerDeps, handle: ContainerHandle, run: Run) -> None:
    if not handle.rootfs_mounts:
        handle.rootfs_mounts = await deps.snapshotter.mounts(handle.id)
    run.spec = await in_thread(_write_bundle, deps, handle)


async def _remove_bundle(deps: ContainerDeps, handle: ContainerHandle, run: Run) -> None:
    await in_thread(remove_runtime_files, deps, handle.paths)


async def _create_process(deps: ContainerDeps, handle: ContainerHandle, run: Run) -> None:
    run.monitored = await deps.monitor.create(handle.launch)
    # The container's namespace has its own mounts; the host's would keep volumes busy.
    await in_thread(deps.mounter.unmount_inside, handle.paths.rootfs)


async def _delete_process(deps: ContainerDeps, handle: ContainerHandle, run: Run) -> None:
    run.disconnect()
    with suppress(RuntimeRefused):
        await deps.runtime.delete(handle.id, force=True)


async def _connect_streams(deps: ContainerDeps, handle: ContainerHandle, run: Run) -> None:
    await connect_streams(handle)


async def _fail_pending_streams(deps: ContainerDeps, handle: ContainerHandle, run: Run) -> None:
    for streams in handle.attaching:
        streams.fail()
    handle.attaching.clear()


async def _run_program(deps: ContainerDeps, handle: ContainerHandle, run: Run) -> None:
    assert run.monitored is not None
    await deps.runtime.start(handle.id)
    await deps.observe(
        handle,
        state=State.RUNNING,
        pid=run.monitored.pid,
        started_at=datetime.now(UTC),
        finished_at=None,
        exit_code=0,
        error="",
        oom_killed=False,
    )
    # Connect clients that attached during the start.
    await connect_streams(handle)


async def _record_exit(deps: ContainerDeps, handle: ContainerHandle, run: Run) -> None:
    """Record the end of a program whose start was aborted after it had begun to run."""
    if handle.state is State.RUNNING:
        await deps.observe(handle, state=State.EXITED, pid=0, finished_at=datetime.now(UTC))


STEPS: tuple[Step, ...] = (
    Step("make the bundle", _make_bundle, _remove_bundle),
    Step("create the process", _create_process, _delete_process),
    Step("connect the streams", _connect_streams, _fail_pending_streams),
    Step("run the program", _run_program, _record_exit),
)


async def connect_streams(handle: ContainerHandle) -> None:
    """Connect the pending streams to the container's real ones."""
    while handle.attaching and (monitored := handle.monitored) is not None:
        awaited = handle.attaching.pop(0)
        if awaited.closed:
            continue
        try:
            await awaited.connect(await monitored.attach())
        except NotRunning:
            # The container has exited already.
            awaited.fail()


def _write_bundle(deps: ContainerDeps, handle: ContainerHandle) -> RuntimeSpec:
    """Mount the rootfs and write the bundle; returns its spec.  Blocking, but short."""
    paths, desired = handle.paths, handle.desired
    mounts = tuple(point.to_option() for point in desired.mounts)
    bundle.prepare_sources(mounts)
    paths.directory.mkdir(parents=True, exist_ok=True, mode=0o711)
    paths.rootfs.mkdir(parents=True, exist_ok=True, mode=0o700)
    deps.mounter.mount(handle.rootfs_mounts, paths.rootfs)
    etc_files.write_files(paths.directory, desired.options, desired.hostname)
    placement = Placement(
        handle.id,
        desired.hostname,
        paths.rootfs,
        _user(handle),
        paths.directory,
        f"/slipway/{handle.id}",
        mounts,
    )
    spec = runtime_spec(desired.image, desired.options, placement, deps.host)
    mounted = deps.mounter.mount_inside(paths.rootfs, spec)
    bundle.write_bundle(paths.bundle, mounted)
    return mounted


def _user(handle: ContainerHandle) -> User:
    desired = handle.desired
    root = os.open(handle.paths.rootfs, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        text = desired.options.user or desired.image.user
        return find_user(root, text, desired.options.group_add)
    finally:
        os.close(root)


def remove_runtime_files(deps: ContainerDeps, paths: ContainerPaths) -> None:
    """Unmount the rootfs and remove the bundle, if they exist; blocking."""
    deps.mounter.unmount(paths.rootfs)
    with suppress(FileNotFoundError):
        paths.rootfs.rmdir()
    bundle.remove_bundle(paths.bundle)
