"""The verbs of a container's life, on one container, under its lock."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from runner.errors import RunnerError
from runner.runtime.errors import NotRunning
from runner.services import removal, starting
from runner.services.lifecycle import ALIVE, State, Verb
from runner.services.outside import Outside
from runner.services.signals import parse_signal
from runner.services.supervisor import Supervisor
from runner.services.tracked import Tracked

_KILL: Final = 9


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
            await starting.start(self._outside, tracked)
        except RunnerError:
            if tracked.desired.options.auto_remove:
                await self.forget(tracked, volumes=True)
            raise
        self._outside.tell(tracked, "start")
        self._supervisor.watch(tracked)

    async def stop(self, tracked: Tracked, grace_seconds: int | None, signal: int | None) -> None:
        """Ask it to end; end it when the grace is over."""
        tracked.check(Verb.STOP)
        number = parse_signal(tracked.desired.stop_signal) if signal is None else signal
        grace = tracked.desired.stop_timeout if grace_seconds is None else grace_seconds
        await self.signal(tracked, number)
        with suppress(TimeoutError):
            async with asyncio.timeout(None if grace < 0 else grace):
                await tracked.at_rest.wait()
        await self._end(tracked)
        self._outside.tell(tracked, "stop")

    async def restart(
        self, tracked: Tracked, grace_seconds: int | None, signal: int | None
    ) -> None:
        if tracked.state in ALIVE:
            await self.stop(tracked, grace_seconds, signal)
        await self.start(tracked)
        self._outside.tell(tracked, "restart")

    async def signal(self, tracked: Tracked, number: int) -> None:
        """Send a signal; one that has ended meanwhile needs none."""
        if tracked.monitored is None:
            return
        with suppress(NotRunning):
            tracked.monitored.signal(number)
            self._outside.tell(tracked, "kill", signal=str(number))
        ends = (_KILL, parse_signal(tracked.desired.stop_signal))
        if tracked.state is State.PAUSED and number in ends:
            # A frozen process cannot even die.
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
        """Kill it, if it lives, and wait until nothing of the run is left."""
        if tracked.state in ALIVE:
            await self.signal(tracked, _KILL)
        await tracked.at_rest.wait()

    async def _resume(self, tracked: Tracked) -> None:
        await self._outside.runtime.resume(tracked.id)
        if tracked.state is State.PAUSED:
            await self._outside.observe(tracked, state=State.RUNNING)
            self._outside.tell(tracked, "unpause")

    async def forget(self, tracked: Tracked, *, volumes: bool) -> None:
        """Remove what is at rest, or will be; also what an earlier daemon began to remove."""
        await tracked.at_rest.wait()
        status = tracked.observed.exit_status
        await removal.remove(self._outside, tracked)
        self._gone(tracked)
        if volumes:
            await removal.remove_volumes(self._outside, tracked)
        self._outside.tell(tracked, "destroy")
        tracked.waiters.removed(status)
