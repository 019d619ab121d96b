"""Supervisor: handle container exits, and recover containers at the daemon's start."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog

from runner.errors import RunnerError
from runner.runtime.bundle import read_spec
from runner.runtime.contract import ContainerState, ExitStatus
from runner.services.containers.dependencies import ContainerDeps, seconds_between
from runner.services.containers.handle import ContainerHandle, Run
from runner.services.containers.lifecycle import ALIVE, State
from runner.services.containers.starting import release, remove_runtime_files
from runner.services.log_rotation import LogRotation
from runner.storage.files.deletion import remove
from runner.storage.records.contract import NotRecorded
from runner.storage.snapshots.contract import owner
from runner.tasks import background
from runner.tasks.threads import in_thread

log = structlog.get_logger()

_EXIT_UNKNOWN: Final = "exit not observed: the host was stopped while it ran"
_LIVE_STATES: Final = frozenset({ContainerState.RUNNING, ContainerState.PAUSED})


class Supervisor:
    """Watches running containers.  ``auto_remove`` removes a container with --rm after its exit."""

    def __init__(
        self, deps: ContainerDeps, auto_remove: Callable[[ContainerHandle], Awaitable[None]]
    ) -> None:
        self._deps = deps
        self._auto_remove = auto_remove
        self._watches: dict[str, asyncio.Task[None]] = {}
        self._endings: set[asyncio.Task[None]] = set()
        self._rotation = LogRotation(deps.timing.log_poll_seconds)

    def watch(self, handle: ContainerHandle) -> None:
        """Start watching for the container's exit."""
        self._rotation.add(handle.id, handle.log)
        task = background.start(self._watch(handle), f"watch {handle.id[:12]}")
        self._watches[handle.id] = task
        task.add_done_callback(lambda _: self._drop(handle.id, task))

    async def recover(self, handle: ContainerHandle) -> None:
        """At the daemon's start: update one container's observed state."""
        if handle.state is State.REMOVING:
            await release(self._deps, handle)
            await self._auto_remove(handle)
        elif (handle.paths.bundle / "config.json").exists():
            await self._adopt(handle)
        elif handle.state in ALIVE:
            # The host was restarted: the bundle is gone.
            now = datetime.now(UTC)
            await self.handle_exit(handle, ExitStatus(255, now, error=_EXIT_UNKNOWN))
        elif handle.paths.rootfs.exists() or handle.paths.bundle.exists():
            # A start was interrupted before the bundle was complete.
            await self._abort_start(handle)
        else:
            self._deps.monitor.discard_exit(handle.id)

    async def sweep(self, known: set[str]) -> None:
        """At the daemon's start: clean up after containers that have no record.

        A failed removal is logged and left to the next start.
        """
        settings, snapshotter = self._deps.settings, self._deps.snapshotter
        containers = settings.root / "containers"
        await in_thread(containers.mkdir, parents=True, exist_ok=True, mode=0o711)
        for name in await in_thread(os.listdir, containers):
            if name not in known:
                await _attempt(name, in_thread(remove, containers / name))
        existing = set[str]()
        for kind in ("b", "r", "exits", "runc"):
            existing |= set(await in_thread(_names, settings.run_dir / kind))
        for name in existing - known:
            await _attempt(name, self._release_unknown(name))
        for key in await snapshotter.keys():
            if not owner(key) and key not in known:
                await _attempt(key, snapshotter.remove(key))

    async def handle_exit(self, handle: ContainerHandle, status: ExitStatus) -> None:
        """Record the exit, notify waiters, then clean up the run."""
        deps = self._deps
        handle.observed = replace(
            handle.observed,
            state=State.EXITED,
            pid=0,
            exit_code=status.code,
            error=status.error,
            oom_killed=status.oom_killed,
            finished_at=status.finished_at,
        )
        if not handle.desired.options.auto_remove:
            await self._record(handle)
        if status.oom_killed:
            deps.publish(handle, "oom")
        lasted = seconds_between(handle.observed.started_at, status.finished_at)
        deps.publish(handle, "die", exitCode=str(status.code), execDuration=str(lasted))
        handle.waiters.ended(status)
        await self._clean_up(handle)
        if handle.desired.options.auto_remove:
            await self._auto_remove(handle)

    async def close(self) -> None:
        """Stop watching, once observed exits are recorded.

        Containers keep running; the next daemon adopts them.
        """
        await self._rotation.close()
        watches = tuple(self._watches.values())
        for task in watches:
            task.cancel()
        await asyncio.gather(*watches, *self._endings, return_exceptions=True)

    async def _watch(self, handle: ContainerHandle) -> None:
        assert handle.monitored is not None
        status = await handle.monitored.wait()
        self._rotation.remove(handle.id)
        ending = asyncio.create_task(self._end(handle, status))
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)
        await asyncio.shield(ending)

    async def _end(self, handle: ContainerHandle, status: ExitStatus) -> None:
        try:
            await self.handle_exit(handle, status)
        except (RunnerError, OSError) as error:
            log.exception("container cleanup failed", container=handle.id, error=str(error))

    async def _record(self, handle: ContainerHandle) -> None:
        try:
            await self._deps.save(handle)
        except NotRecorded as error:
            # Go on: stopping or removing containers may free space.
            log.warning("exit not recorded", container=handle.id, error=str(error))

    async def _clean_up(self, handle: ContainerHandle) -> None:
        try:
            await release(self._deps, handle)
        except (RunnerError, OSError) as error:
            # Retried before the container's next start, or at the daemon's.
            log.warning("container not released", container=handle.id, error=str(error))
        finally:
            handle.end_run()

    async def _adopt(self, handle: ContainerHandle) -> None:
        """Recover a container with a bundle: a start, a run or a cleanup was in progress."""
        status = await self._status(handle)
        ended_unseen = handle.state is State.CREATED and status is ContainerState.STOPPED
        if handle.state not in ALIVE and status not in _LIVE_STATES and not ended_unseen:
            # The daemon was killed before the program ran, or after its exit was recorded.
            await self._abort_start(handle)
            return
        spec = await in_thread(read_spec, handle.paths.bundle)
        monitored = await self._deps.monitor.adopt(handle.launch)
        handle.run = Run(spec, monitored)
        paused = status is ContainerState.PAUSED
        handle.observed = replace(
            handle.observed,
            state=State.PAUSED if paused else State.RUNNING,
            pid=monitored.pid,
            started_at=handle.observed.started_at or datetime.now(UTC),
        )
        await self._record(handle)
        self.watch(handle)

    async def _abort_start(self, handle: ContainerHandle) -> None:
        """Undo a start interrupted by the daemon's death; its monitor may still run."""
        await self._deps.monitor.kill(handle.id)
        await self._clean_up(handle)
        if handle.desired.options.auto_remove:
            await self._auto_remove(handle)

    async def _status(self, handle: ContainerHandle) -> ContainerState | None:
        """The runtime's state; None if the runtime does not know the container."""
        try:
            return (await self._deps.runtime.state(handle.id)).status
        except RunnerError:
            return None

    async def _release_unknown(self, container: str) -> None:
        paths = self._deps.paths(container)
        await self._deps.monitor.kill(container)
        with suppress(RunnerError):
            await self._deps.runtime.delete(container, force=True)
        await in_thread(remove_runtime_files, self._deps, paths)
        self._deps.monitor.discard_exit(container)

    def _drop(self, container: str, task: asyncio.Task[None]) -> None:
        if self._watches.get(container) is task:
            del self._watches[container]


async def _attempt(name: str, removal: Awaitable[None]) -> None:
    """Remove an orphan; a failure is logged."""
    try:
        await removal
    except (RunnerError, OSError) as error:
        log.warning("orphan not removed", name=name, error=str(error))


def _names(directory: Path) -> list[str]:
    try:
        return os.listdir(directory)
    except FileNotFoundError:
        return []
