"""Notice when containers end; and find out, when a daemon starts, what happened without one."""

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
from runner.services.lifecycle import ALIVE, State
from runner.services.outside import Outside, seconds_between
from runner.services.starting import clear, release
from runner.services.tracked import Tracked
from runner.storage.files.deletion import remove
from runner.storage.records import NotRecorded
from runner.tasks.threads import in_thread

log = structlog.get_logger()

_UNSEEN: Final = "nobody saw its end: the host was stopped while it ran"
_LIVING: Final = frozenset({ContainerState.RUNNING, ContainerState.PAUSED})


class Supervisor:
    """Watches what runs.  ``forget`` is what becomes of a container that removes itself."""

    def __init__(self, outside: Outside, forget: Callable[[Tracked], Awaitable[None]]) -> None:
        self._outside = outside
        self._forget = forget
        self._watches: dict[str, asyncio.Task[None]] = {}
        self._endings: set[asyncio.Task[None]] = set()

    def watch(self, tracked: Tracked) -> None:
        """See to the container's end, whenever it comes."""
        task = asyncio.create_task(self._watch(tracked), name=f"watch {tracked.id[:12]}")
        self._watches[tracked.id] = task
        task.add_done_callback(lambda _: self._drop(tracked.id, task))

    async def recover(self, tracked: Tracked) -> None:
        """Bring one container's record to the truth, at the daemon's start."""
        if tracked.state is State.REMOVING:
            await release(self._outside, tracked)
            await self._forget(tracked)
        elif (tracked.places.bundle / "config.json").exists():
            await self._take_up(tracked)
        elif tracked.state in ALIVE:
            # The host was restarted, and took the bundle with it.
            now = datetime.now(UTC)
            await self.ended(tracked, ExitStatus(255, now, error=_UNSEEN))
        elif tracked.places.rootfs.exists() or tracked.places.bundle.exists():
            # A start was cut off before there was a whole bundle.
            await self._cut_off(tracked)
        else:
            self._outside.monitor.forget(tracked.id)

    async def sweep(self, known: set[str]) -> None:
        """Undo what was under way for containers that have no record, at the daemon's start."""
        settings, snapshotter = self._outside.settings, self._outside.snapshotter
        containers = settings.root / "containers"
        await in_thread(containers.mkdir, parents=True, exist_ok=True, mode=0o711)
        for name in await in_thread(os.listdir, containers):
            if name not in known:
                await in_thread(remove, containers / name)
        begun = set[str]()
        for kind in ("b", "r", "exits", "runc"):
            begun |= set(await in_thread(_names, settings.run_dir / kind))
        for name in begun - known:
            await self._release_unknown(name)
        for key in await snapshotter.keys():
            if key not in known:
                await snapshotter.remove(key)

    async def ended(self, tracked: Tracked, status: ExitStatus) -> None:
        """Record how it ended, tell who waits, then put away what it ran in."""
        outside = self._outside
        tracked.observed = replace(
            tracked.observed,
            state=State.EXITED,
            pid=0,
            exit_code=status.code,
            error=status.error,
            oom_killed=status.oom_killed,
            finished_at=status.finished_at,
        )
        if not tracked.desired.options.auto_remove:
            await self._record(tracked)
        if status.oom_killed:
            outside.tell(tracked, "oom")
        lasted = seconds_between(tracked.observed.started_at, status.finished_at)
        outside.tell(tracked, "die", exitCode=str(status.code), execDuration=str(lasted))
        tracked.waiters.ended(status)
        await self._put_away(tracked)
        if tracked.desired.options.auto_remove:
            await self._forget(tracked)

    async def close(self) -> None:
        """Stop watching, once the ends that were noticed are recorded.

        Containers go on; the next daemon takes them up.
        """
        watches = tuple(self._watches.values())
        for task in watches:
            task.cancel()
        await asyncio.gather(*watches, *self._endings, return_exceptions=True)

    async def _watch(self, tracked: Tracked) -> None:
        assert tracked.monitored is not None
        status = await tracked.monitored.wait()
        ending = asyncio.create_task(self.ended(tracked, status))
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)
        try:
            await asyncio.shield(ending)
        except (RunnerError, OSError) as error:
            log.exception("container not put away", container=tracked.id, error=str(error))

    async def _record(self, tracked: Tracked) -> None:
        try:
            await self._outside.save(tracked)
        except NotRecorded as error:
            # What happened has happened, and who stops or removes it may be making room.
            log.warning("not recorded", container=tracked.id, error=str(error))

    async def _put_away(self, tracked: Tracked) -> None:
        try:
            await release(self._outside, tracked)
        except (RunnerError, OSError) as error:
            # What is left is put away before the next start, or at the daemon's.
            log.warning("container not released", container=tracked.id, error=str(error))
        finally:
            tracked.at_rest.set()

    async def _take_up(self, tracked: Tracked) -> None:
        """A bundle means that a start, a run or an end was under way."""
        status = await self._status(tracked)
        ended_unseen = tracked.state is State.CREATED and status is ContainerState.STOPPED
        if tracked.state not in ALIVE and status not in _LIVING and not ended_unseen:
            # The daemon was killed before the program ran, or after its end was recorded.
            await self._cut_off(tracked)
            return
        tracked.at_rest = asyncio.Event()
        tracked.spec = await in_thread(read_spec, tracked.places.bundle)
        tracked.monitored = await self._outside.monitor.adopt(tracked.launch)
        paused = status is ContainerState.PAUSED
        tracked.observed = replace(
            tracked.observed,
            state=State.PAUSED if paused else State.RUNNING,
            pid=tracked.monitored.pid,
            started_at=tracked.observed.started_at or datetime.now(UTC),
        )
        await self._record(tracked)
        self.watch(tracked)

    async def _cut_off(self, tracked: Tracked) -> None:
        """Undo a start that a daemon's death has cut off: its monitor may be at work still."""
        await self._outside.monitor.kill(tracked.id)
        await self._put_away(tracked)
        if tracked.desired.options.auto_remove:
            await self._forget(tracked)

    async def _status(self, tracked: Tracked) -> ContainerState | None:
        """What the runtime says; None if it does not know the container."""
        try:
            return (await self._outside.runtime.state(tracked.id)).status
        except RunnerError:
            return None

    async def _release_unknown(self, container: str) -> None:
        places = self._outside.places(container)
        await self._outside.monitor.kill(container)
        with suppress(RunnerError):
            await self._outside.runtime.delete(container, force=True)
        await in_thread(clear, places)
        self._outside.monitor.forget(container)

    def _drop(self, container: str, task: asyncio.Task[None]) -> None:
        if self._watches.get(container) is task:
            del self._watches[container]


def _names(directory: Path) -> list[str]:
    try:
        return os.listdir(directory)
    except FileNotFoundError:
        return []
