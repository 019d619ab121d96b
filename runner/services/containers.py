"""create, start, stop, remove: the lifecycle.

Engine API, "Container".  What a verb may be applied to is the table in ``lifecycle.py``.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Final, TypeVar

from runner.errors import Conflict, NoSuchContainer, NotModified, RunnerError
from runner.runtime.contract import Frame, StdStream, Streams
from runner.runtime.logs import entries
from runner.schema import ContainerOptions
from runner.services import creation, names, processes, starting
from runner.services.container import Container, MountPoint
from runner.services.lifecycle import ALIVE, State, Verb
from runner.services.logs import Selection, frames
from runner.services.outside import Outside
from runner.services.signals import parse_signal
from runner.services.streams import AwaitedStreams
from runner.services.supervisor import Supervisor
from runner.services.tracked import Tracked
from runner.services.verbs import Verbs
from runner.services.waiting import Condition, Waiter

__all__ = ["Condition", "Container", "Containers", "MountPoint", "Waiter"]

T = TypeVar("T")

# What is under way has so long to finish when the daemon stops.
CLOSE_SECONDS: Final = 5.0

_Verb = Callable[[Tracked], Awaitable[None]]


class Containers:
    """The containers of this machine.

    A name is a container's name, its ID, or the unique beginning of its ID.  One container's
    verbs run one after another, each to its end even when whoever asked has gone away.
    """

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self._all: dict[str, Tracked] = {}
        self._supervisor = Supervisor(self._outside, self._forget)
        self._verbs = Verbs(self._outside, self._supervisor, self._drop)
        self._under_way: set[asyncio.Task[Any]] = set()
        outside.volumes.users = self.list

    def find(self, name: str) -> Container:
        """The container as it is now, or NoSuchContainer."""
        return self.tracked(name).view()

    def list(self) -> tuple[Container, ...]:
        """Every container in whatever state, the newest first."""
        return tuple(tracked.view() for tracked in reversed(self._all.values()))

    def tracked(self, name: str) -> Tracked:
        """For the other services: the container itself, not a view of it."""
        if name in self._all:
            return self._all[name]
        named = [one for one in self._all.values() if one.name == name.removeprefix("/")]
        if named:
            return named[0]
        begun = [one for id, one in self._all.items() if name and id.startswith(name)]
        if len(begun) > 1:
            raise Conflict(f"multiple containers found with ID prefix {name}")
        if not begun:
            raise NoSuchContainer(name)
        return begun[0]

    def logs(
        self,
        name: str,
        *,
        follow: bool = False,
        stdout: bool = True,
        stderr: bool = True,
        tail: int | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        timestamps: bool = False,
    ) -> AsyncIterator[Frame]:
        """What the container wrote; NoSuchContainer is raised at once, before the first frame."""
        tracked = self.tracked(name)
        selection = Selection(_wanted(stdout, stderr), tail, since, until, timestamps)
        return self._read_log(tracked, selection, follow=follow)

    async def changed_bytes(self, name: str) -> int:
        """What the container has written on top of its image."""
        usage = await self._outside.snapshotter.usage(self.tracked(name).id)
        return usage.bytes

    async def top(
        self, name: str, arguments: Sequence[str] = ()
    ) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
        """The processes running in the container: titles, and a row for each.

        ``arguments`` are ps(1)'s, for other columns than those of ``-ef``.
        """
        tracked = self.tracked(name)
        if tracked.state not in ALIVE:
            raise Conflict(f"container {tracked.id} is not running")
        return await processes.table(tracked.observed.pid, arguments)

    async def create(
        self, options: ContainerOptions, name: str | None = None, platform: str | None = None
    ) -> tuple[Container, tuple[str, ...]]:
        """Make a container that can be started; returns it, and warnings for the user.

        Raises NoSuchImage, NameInUse, or BadRequest naming the option that makes no sense.
        """
        making = creation.create(self._outside, options, name, platform)
        tracked, warnings = await self._whole(making)
        self._all[tracked.id] = tracked
        return tracked.view(), warnings

    async def start(self, name: str) -> None:
        """Run the container's program; NotModified if it runs.

        CommandNotFound and CommandNotExecutable name the program; the container then stays
        created, with 127 or 126 for an exit code.
        """
        await self._do(name, self._verbs.start)

    async def stop(
        self,
        name: str,
        *,
        timeout: int | None = None,  # noqa: ASYNC109 — the container's time, not this call's
        signal: str | None = None,
    ) -> None:
        """Ask the program to end, and end it when it has not after ``timeout`` seconds.

        -1 is to wait for ever, None the container's own timeout.
        """
        number = parse_signal(signal) if signal else None
        # Without the lock: neither a start nor a removal waits for the grace of a stop.
        await self._whole(self._verbs.stop(self.tracked(name), timeout, number))

    async def restart(
        self,
        name: str,
        *,
        timeout: int | None = None,  # noqa: ASYNC109 — the container's time, not this call's
        signal: str | None = None,
    ) -> None:
        """Stop it if it runs, then start it."""
        number = parse_signal(signal) if signal else None
        await self._whole(self._restart(self.tracked(name), timeout, number))

    async def kill(self, name: str, signal: str = "KILL") -> None:
        """Send a signal to the container's first process; SIGKILL has ended it on return.

        Before that process runs, SIGKILL and the container's stop signal abort the start.
        """
        number = parse_signal(signal)
        # Without the lock: a start that hangs must not keep anyone from killing.
        await self._whole(self._verbs.kill(self.tracked(name), number))

    async def pause(self, name: str) -> None:
        """Freeze all its processes."""
        await self._do(name, self._verbs.pause)

    async def unpause(self, name: str) -> None:
        """Let its processes go on."""
        await self._do(name, self._verbs.unpause)

    async def remove(self, name: str, *, force: bool = False, volumes: bool = False) -> None:
        """Remove a container that does not run; with ``force``, kill it first.

        With ``volumes``, the anonymous volumes it brought go with it.
        """
        found = self.tracked(name)
        if force:
            await self._whole(self._verbs.abort_start(found))
            if found.id not in self._all:
                # It removed itself when its start was aborted.
                return
        await self._do(
            found.id, lambda tracked: self._verbs.remove(tracked, force=force, volumes=volumes)
        )

    async def rename(self, name: str, new: str) -> None:
        """Call it something else; NameInUse if something else is called so."""
        names.check_container_name(new)
        await self._do(name, lambda tracked: self._verbs.rename(tracked, new))

    async def prune(
        self, selects: Callable[[Container], bool] | None = None
    ) -> tuple[tuple[str, ...], int]:
        """Remove containers that do not run: their IDs, and the bytes freed.

        All of them, or only those that ``selects`` is true of.
        """
        removed, size = [], 0
        for tracked in tuple(self._all.values()):
            selected = selects is None or selects(tracked.view())
            if selected and tracked.state in (State.CREATED, State.EXITED):
                with suppress(RunnerError):
                    freed = await self.changed_bytes(tracked.id)
                    await self.remove(tracked.id)
                    removed.append(tracked.id)
                    size += freed
        return tuple(removed), size

    async def wait(self, name: str, condition: Condition = Condition.NOT_RUNNING) -> Waiter:
        """Wait for an end: subscribed when this returns, told by the waiter's ``result``."""
        tracked = self.tracked(name)
        waiter = tracked.waiters.join(condition)
        if condition is Condition.NOT_RUNNING and tracked.state not in ALIVE:
            waiter.tell(tracked.observed.exit_status)
        return waiter

    async def attach(
        self,
        name: str,
        *,
        stdin: bool,
        stdout: bool,
        stderr: bool,
        stream: bool = True,
        logs: bool = False,
    ) -> Streams:
        """The container's streams; before it starts, they wait for it and miss nothing.

        With ``logs``, what it wrote before comes first; without ``stream``, nothing after.
        """
        tracked = self.tracked(name)
        if tracked.state is State.PAUSED:
            raise Conflict(f"container {name} is paused, unpause the container before attach")
        if tracked.state is State.REMOVING:
            raise Conflict(f"container {name} is being removed and cannot be attached to")
        before = self.logs(name, stdout=stdout, stderr=stderr) if logs else None
        streams = AwaitedStreams(_wanted(stdout, stderr), before)
        if stream:
            tracked.attaching.append(streams)
            await self._connect(tracked)
        else:
            streams.give_up()
        self._outside.tell(tracked, "attach")
        return streams

    async def resize(self, name: str, height: int, width: int) -> None:
        """Set the size of its terminal, in characters."""
        tracked = self.tracked(name)
        tracked.check(Verb.RESIZE)
        if tracked.monitored is not None:
            tracked.monitored.resize(height, width)
        self._outside.tell(tracked, "resize", height=str(height), width=str(width))

    async def recover(self) -> None:
        """At the daemon's start: know every container, and what happened to it meanwhile."""
        for record in self._outside.records.containers.all():
            places = self._outside.places(record.id)
            self._all[record.id] = Tracked.from_record(record, places)
        await self._outside.volumes.recover()
        await self._supervisor.sweep(set(self._all))
        # Side by side: the runtime is asked about each, and takes its time.
        await asyncio.gather(*map(self._supervisor.recover, tuple(self._all.values())))

    async def close(self) -> None:
        """At the daemon's stop: finish what is under way.  Containers stay as they are.

        What is not finished soon is cut off: a start that hangs, a stop that waits.
        """
        if self._under_way:
            await asyncio.wait(set(self._under_way), timeout=CLOSE_SECONDS)
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        await self._supervisor.close()
        for tracked in self._all.values():
            for streams in tracked.attaching:
                streams.give_up()
            if tracked.monitored is not None:
                tracked.monitored.close()

    async def _restart(
        self, tracked: Tracked, grace_seconds: int | None, signal: int | None
    ) -> None:
        # One that removes itself stays for its second run.
        tracked.restarting = True
        try:
            if tracked.state in ALIVE or tracked.starting is not None:
                await self._verbs.stop(tracked, grace_seconds, signal)
            with suppress(NotModified):
                await self._locked(tracked, self._verbs.start)
        finally:
            tracked.restarting = False
        self._outside.tell(tracked, "restart")

    async def _forget(self, tracked: Tracked) -> None:
        """What the supervisor calls for a container that removes itself."""
        async with tracked.lock:
            # A restart may have been quicker.
            known = tracked.id in self._all and not tracked.restarting
            if known and tracked.state not in ALIVE:
                await self._verbs.forget(tracked, volumes=True)

    def _drop(self, tracked: Tracked) -> None:
        self._all.pop(tracked.id, None)

    async def _connect(self, tracked: Tracked) -> None:
        if tracked.state in ALIVE:
            await starting.connect_streams(tracked)

    async def _read_log(
        self, tracked: Tracked, selection: Selection, *, follow: bool
    ) -> AsyncIterator[Frame]:
        waiter = None
        if follow and tracked.state in ALIVE | {State.CREATED}:
            waiter = tracked.waiters.join(Condition.NEXT_EXIT)
        logged = entries(
            tracked.places.log,
            tail=selection.tail,
            since=selection.since,
            until=selection.until,
            ended=waiter.result if waiter else None,
        )
        async for frame in frames(logged, selection):
            yield frame

    async def _do(self, name: str, verb: _Verb) -> None:
        await self._whole(self._locked(self.tracked(name), verb))

    async def _locked(self, tracked: Tracked, verb: _Verb) -> None:
        async with tracked.lock:
            if tracked.id not in self._all:
                raise NoSuchContainer(tracked.name)
            await verb(tracked)

    async def _whole(self, work: Coroutine[Any, Any, T]) -> T:
        """Do it to its end, even when whoever asked has gone: no verb stops half-way."""
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)


def _wanted(stdout: bool, stderr: bool) -> tuple[StdStream, ...]:
    streams = {StdStream.STDOUT: stdout, StdStream.STDERR: stderr}
    return tuple(stream for stream, wanted in streams.items() if wanted)
