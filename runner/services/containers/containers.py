"""create, start, stop, remove: the lifecycle.

Engine API, "Container".  What a verb may be applied to is the table in ``lifecycle.py``.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Final, TypeVar

from runner.errors import Conflict, NoSuchContainer, NotModified, RunnerError
from runner.runtime import processes
from runner.runtime.contract import Frame, StdStream, Streams
from runner.runtime.errors import NotRunning
from runner.runtime.logs import entries
from runner.schema import ContainerOptions
from runner.services import names
from runner.services.containers import creation, starting
from runner.services.containers.container import Container, MountPoint
from runner.services.containers.dependencies import ContainerDeps
from runner.services.containers.handle import ContainerHandle
from runner.services.containers.lifecycle import ALIVE, Operation, State
from runner.services.containers.logs import Selection, frames
from runner.services.containers.operations import Operations
from runner.services.containers.pending_streams import PendingStreams
from runner.services.containers.supervisor import Supervisor
from runner.services.containers.waiting import Condition, Waiter
from runner.services.signals import parse_signal
from runner.storage.snapshots.changes import usage

__all__ = ["Condition", "Container", "Containers", "MountPoint", "Waiter"]

T = TypeVar("T")

# What is under way has so long to finish when the daemon stops.
CLOSE_SECONDS: Final = 5.0

_Operation = Callable[[ContainerHandle], Awaitable[None]]


class Containers:
    """The containers of this machine.

    A name is a container's name, its ID, or the unique beginning of its ID.  One container's
    verbs run one after another, each to its end even when whoever asked has gone away.
    """

    def __init__(self, deps: ContainerDeps) -> None:
        self._deps = deps
        self._index = deps.index
        self._supervisor = Supervisor(self._deps, self._auto_remove)
        self._operations = Operations(self._deps, self._supervisor, self._index.drop)
        self._under_way: set[asyncio.Task[Any]] = set()

    def find(self, name: str) -> Container:
        """The container as it is now, or NoSuchContainer."""
        return self.handle(name).view()

    def list(self) -> tuple[Container, ...]:
        """Every container in whatever state, the newest first."""
        return self._index.list()

    def handle(self, name: str) -> ContainerHandle:
        """For the other services: the container itself, not a view of it."""
        return self._index.find(name)

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
        handle = self.handle(name)
        selection = Selection(_wanted(stdout, stderr), tail, since, until, timestamps)
        return self._read_log(handle, selection, follow=follow)

    async def changed_bytes(self, name: str) -> int:
        """What the container has written on top of its image."""
        written = await usage(self._deps.snapshotter, self.handle(name).id)
        return written.bytes

    async def top(
        self, name: str, arguments: Sequence[str] = ()
    ) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
        """The processes running in the container: titles, and a row for each.

        ``arguments`` are ps(1)'s, for other columns than those of ``-ef``.
        """
        handle = self.handle(name)
        if handle.state not in ALIVE:
            raise NotRunning(f"container {handle.id} is not running")
        return await processes.table(handle.observed.pid, arguments)

    async def create(
        self, options: ContainerOptions, name: str | None = None, platform: str | None = None
    ) -> tuple[Container, tuple[str, ...]]:
        """Make a container that can be started; returns it, and warnings for the user.

        Raises NoSuchImage, NameInUse, or BadRequest naming the option that makes no sense.
        """
        making = creation.create(self._deps, options, name, platform, self._index.add)
        handle, warnings = await self._run_shielded(making)
        return handle.view(), warnings

    async def start(self, name: str) -> None:
        """Run the container's program; NotModified if it runs.

        CommandNotFound and CommandNotExecutable name the program; the container then stays
        created, with 127 or 126 for an exit code.
        """
        await self._run_operation(name, self._operations.start)

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
        await self._run_shielded(self._operations.stop(self.handle(name), timeout, number))

    async def restart(
        self,
        name: str,
        *,
        timeout: int | None = None,  # noqa: ASYNC109 — the container's time, not this call's
        signal: str | None = None,
    ) -> None:
        """Stop it if it runs, then start it."""
        number = parse_signal(signal) if signal else None
        await self._run_shielded(self._restart(self.handle(name), timeout, number))

    async def kill(self, name: str, signal: str = "KILL") -> None:
        """Send a signal to the container's first process; SIGKILL has ended it on return.

        Before that process runs, SIGKILL and the container's stop signal abort the start.
        """
        number = parse_signal(signal)
        # Without the lock: a start that hangs must not keep anyone from killing.
        await self._run_shielded(self._operations.kill(self.handle(name), number))

    async def pause(self, name: str) -> None:
        """Freeze all its processes."""
        await self._run_operation(name, self._operations.pause)

    async def unpause(self, name: str) -> None:
        """Let its processes go on."""
        await self._run_operation(name, self._operations.unpause)

    async def remove(self, name: str, *, force: bool = False, volumes: bool = False) -> None:
        """Remove a container that does not run; with ``force``, kill it first.

        With ``volumes``, the anonymous volumes it brought go with it.
        """
        found = self.handle(name)
        if force:
            await self._run_shielded(self._operations.abort_start(found))
            if found not in self._index:
                # It removed itself when its start was aborted.
                return
        await self._run_operation(
            found.id, lambda handle: self._operations.remove(handle, force=force, volumes=volumes)
        )

    async def rename(self, name: str, new: str) -> None:
        """Call it something else; NameInUse if something else is called so."""
        names.check_container_name(new)
        await self._run_operation(name, lambda handle: self._operations.rename(handle, new))

    async def prune(
        self, matches: Callable[[Container], bool] | None = None
    ) -> tuple[tuple[str, ...], int]:
        """Remove containers that do not run: their IDs, and the bytes freed.

        All of them, or only those that ``matches`` is true of.
        """
        removed, size = [], 0
        for handle in self._index.handles():
            selected = matches is None or matches(handle.view())
            if selected and handle.state in (State.CREATED, State.EXITED):
                with suppress(RunnerError):
                    freed = await self.changed_bytes(handle.id)
                    await self.remove(handle.id)
                    removed.append(handle.id)
                    size += freed
        return tuple(removed), size

    async def wait(self, name: str, condition: Condition = Condition.NOT_RUNNING) -> Waiter:
        """Wait for an end: subscribed when this returns, told by the waiter's ``result``."""
        handle = self.handle(name)
        waiter = handle.waiters.join(condition)
        if condition is Condition.NOT_RUNNING and handle.state not in ALIVE:
            waiter.publish(handle.observed.exit_status)
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
        handle = self.handle(name)
        if handle.state is State.PAUSED:
            raise Conflict(f"container {name} is paused, unpause the container before attach")
        if handle.state is State.REMOVING:
            raise Conflict(f"container {name} is being removed and cannot be attached to")
        before = self.logs(name, stdout=stdout, stderr=stderr) if logs else None
        streams = PendingStreams(_wanted(stdout, stderr), before)
        if stream:
            handle.attaching.append(streams)
            await self._connect(handle)
        else:
            streams.fail()
        self._deps.publish(handle, "attach")
        return streams

    async def resize(self, name: str, height: int, width: int) -> None:
        """Set the size of its terminal, in characters."""
        handle = self.handle(name)
        handle.check(Operation.RESIZE)
        if handle.monitored is not None:
            handle.monitored.resize(height, width)
        self._deps.publish(handle, "resize", height=str(height), width=str(width))

    async def recover(self) -> None:
        """At the daemon's start: know every container, and what happened to it meanwhile."""
        for record in self._deps.records.containers.all():
            paths = self._deps.paths(record.id)
            self._index.add(ContainerHandle.from_record(record, paths))
        await self._deps.volumes.recover()
        known = self._index.handles()
        await self._supervisor.sweep({handle.id for handle in known})
        # Side by side: the runtime is asked about each, and takes its time.
        await asyncio.gather(*map(self._supervisor.recover, known))

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
        for handle in self._index.handles():
            for streams in handle.attaching:
                streams.fail()
            if handle.monitored is not None:
                handle.monitored.close()

    async def _restart(
        self, handle: ContainerHandle, grace_seconds: int | None, signal: int | None
    ) -> None:
        # One that removes itself stays for its second run.
        handle.restarting = True
        try:
            if handle.state in ALIVE or handle.starting is not None:
                await self._operations.stop(handle, grace_seconds, signal)
            with suppress(NotModified):
                await self._locked(handle, self._operations.start)
        finally:
            handle.restarting = False
        self._deps.publish(handle, "restart")

    async def _auto_remove(self, handle: ContainerHandle) -> None:
        """What the supervisor calls for a container that removes itself."""
        async with handle.lock:
            # A restart may have been quicker.
            known = handle in self._index and not handle.restarting
            if known and handle.state not in ALIVE:
                await self._operations.forget(handle, volumes=True)

    async def _connect(self, handle: ContainerHandle) -> None:
        if handle.state in ALIVE:
            await starting.connect_streams(handle)

    async def _read_log(
        self, handle: ContainerHandle, selection: Selection, *, follow: bool
    ) -> AsyncIterator[Frame]:
        waiter = None
        if follow and handle.state in ALIVE | {State.CREATED}:
            waiter = handle.waiters.join(Condition.NEXT_EXIT)
        logged = entries(
            handle.paths.log,
            tail=selection.tail,
            since=selection.since,
            until=selection.until,
            ended=waiter.result if waiter else None,
        )
        async for frame in frames(logged, selection):
            yield frame

    async def _run_operation(self, name: str, operation: _Operation) -> None:
        await self._run_shielded(self._locked(self.handle(name), operation))

    async def _locked(self, handle: ContainerHandle, operation: _Operation) -> None:
        async with handle.lock:
            if handle not in self._index:
                raise NoSuchContainer(handle.name)
            await operation(handle)

    async def _run_shielded(self, work: Coroutine[Any, Any, T]) -> T:
        """Do it to its end, even when whoever asked has gone: no verb stops half-way."""
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)


def _wanted(stdout: bool, stderr: bool) -> tuple[StdStream, ...]:
    streams = {StdStream.STDOUT: stdout, StdStream.STDERR: stderr}
    return tuple(stream for stream, wanted in streams.items() if wanted)
