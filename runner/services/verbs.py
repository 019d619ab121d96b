"""The verbs of a container's life, on one container, under its lock."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Final

from runner.errors import RunnerError
from runner.runtime.errors import NotRunning
from runner.services import removal, starting
from runner.services.lifecycle import ALIVE, State, Verb
from runner.services.outside import Outside
from runner.services.signals import parse_signal
from runner.services.starting import StartAborted
from runner.services.supervisor import Supervisor
from runner.services.tracked import Tracked

_KILL: Final = 9
# A process that the kernel holds (a dead network file system) outlives its SIGKILL.
KILL_SECONDS: Final = 30


class NotKilled(RunnerError):
    """The container's first process did not end by a SIGKILL."""

    def __init__(self, container: str) -> None:
        super().__init__(
            f"cannot kill container {container}: it did not end within {KILL_SECONDS} seconds"
        )


class Verbs:
    """What each verb does once its turn has come.  ``gone`` is told of a removed container."""

    def __init__(
        self, outside: Outside, supervisor: Supervisor, gone: Callable[[Tracked], None]
    ) -> None:
        self._outside = outside
        self._supervisor = supervisor
        self._gone = gone

    async def start(self, tracked: Tracked) -> None:
        tracked.check(Verb.START)
        await tracked.at_rest.wait()
        try:
            await self._start(tracked)
        except RunnerError:
            if tracked.desired.options.auto_remove:
                await self.forget(tracked, volumes=True)
            raise
        self._outside.tell(tracked, "start")
        self._supervisor.watch(tracked)

    async def _start(self, tracked: Tracked) -> None:
        """Start it in a task of its own, which ``abort_start`` can cancel."""
        task = asyncio.create_task(starting.start(self._outside, tracked))
        tracked.starting = task
        try:
            await task
        except asyncio.CancelledError:
            raise StartAborted(tracked.id) from None
        finally:
            tracked.starting = None

    async def abort_start(self, tracked: Tracked) -> bool:
        """Cut off a start that is under way, without the lock; False when there was none."""
        task = tracked.starting
        if task is None:
            return False
        task.cancel()
        await asyncio.wait([task])
        return tracked.state not in ALIVE

    async def stop(self, tracked: Tracked, grace_seconds: int | None, signal: int | None) -> None:
        """Ask it to end; end it when the grace is over.  Called without the lock."""
        if await self.abort_start(tracked):
            return
        tracked.check(Verb.STOP)
        number = parse_signal(tracked.desired.stop_signal) if signal is None else signal
        grace = tracked.desired.stop_timeout if grace_seconds is None else grace_seconds
        at_rest, run = tracked.at_rest, tracked.monitored
        await self._send(tracked, number, resume=True)
        try:
            async with asyncio.timeout(None if grace < 0 else grace):
                await at_rest.wait()
        except TimeoutError:
            # Only this run: it may have ended, and another have begun.
            if tracked.monitored is run:
                await self._end(tracked)
        self._outside.tell(tracked, "stop")

    async def kill(self, tracked: Tracked, number: int) -> None:
        """Send a signal; a SIGKILL is waited for.  Called without the lock."""
        ends = (_KILL, parse_signal(tracked.desired.stop_signal))
        if number in ends and await self.abort_start(tracked):
            return
        tracked.check(Verb.KILL)
        if number == _KILL:
            await self._end(tracked)
        else:
            # A frozen process cannot even die.
            await self._send(tracked, number, resume=number in ends)

    async def _send(self, tracked: Tracked, number: int, *, resume: bool) -> None:
        """Send a signal; one that has ended meanwhile needs none."""
        if tracked.monitored is None:
            return
        with suppress(NotRunning):
            tracked.monitored.signal(number)
            self._outside.tell(tracked, "kill", signal=str(number))
        if tracked.state is State.PAUSED and resume:
            with suppress(NotRunning):
                await self._resume(tracked)

    async def pause(self, tracked: Tracked) -> None:
        tracked.check(Verb.PAUSE)
        await self._outside.runtime.pause(tracked.id)
        await self._outside.observe(tracked, state=State.PAUSED)
        self._outside.tell(tracked, "pause")

    async def unpause(self, tracked: Tracked) -> None:
        tracked.check(Verb.UNPAUSE)
        await self._resume(tracked)

    async def remove(self, tracked: Tracked, *, force: bool, volumes: bool) -> None:
        if force and tracked.state in ALIVE:
            await self._end(tracked)
        tracked.check(Verb.REMOVE)
        await self.forget(tracked, volumes=volumes)

    async def rename(self, tracked: Tracked, new: str) -> None:
        old, tracked.name = tracked.name, new
        try:
            await self._outside.save(tracked)
        except RunnerError:
            tracked.name = old
            raise
        self._outside.tell(tracked, "rename", oldName=f"/{old}")

    async def _end(self, tracked: Tracked) -> None:
        """Kill it, if it lives, and wait until nothing of the run is left.

        Raises NotKilled for a process that a SIGKILL does not end.
        """
        at_rest, run = tracked.at_rest, tracked.monitored
        if tracked.state in ALIVE:
            await self._send(tracked, _KILL, resume=True)
            try:
                async with asyncio.timeout(KILL_SECONDS):
                    await at_rest.wait()
            except TimeoutError:
                if tracked.monitored is run and tracked.state in ALIVE:
                    raise NotKilled(tracked.id) from None
        await at_rest.wait()

    async def _resume(self, tracked: Tracked) -> None:
        await self._outside.runtime.resume(tracked.id)
        if tracked.state is State.PAUSED:
            await self._outside.observe(tracked, state=State.RUNNING)
            self._outside.tell(tracked, "unpause")

    async def forget(self, tracked: Tracked, *, volumes: bool) -> None:
        """Remove what is at rest, or will be; also what an earlier daemon began to remove."""
        await tracked.at_rest.wait()
        status = tracked.observed.exit_status
        try:
            if volumes:
                await removal.unclaim_volumes(self._outside, tracked)
            await removal.remove(self._outside, tracked)
        except BaseException as error:
            # Whoever waits for the removal is told; it may be asked for again.
            tracked.waiters.removed(replace(status, error=f"not removed: {error}"))
            raise
        self._gone(tracked)
        if volumes:
            await removal.remove_volumes(self._outside, tracked)
        self._outside.tell(tracked, "destroy")
        tracked.waiters.removed(status)
