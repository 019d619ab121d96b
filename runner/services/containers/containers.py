"""Containers: create, start, stop, remove, find and list containers.

Engine API, "Container".  ``lifecycle.py`` has the table of operations allowed in each state.
https://docs.docker.com/engine/api/v1.44/#tag/Container
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import structlog

from runner.errors import NoSuchContainer, NotModified, RunnerError
from runner.runtime import processes
from runner.runtime.errors import NotRunning
from runner.schema import ContainerOptions
from runner.services import names
from runner.services.containers import creation
from runner.services.containers.container import Container, MountPoint
from runner.services.containers.dependencies import ContainerDeps
from runner.services.containers.handle import ContainerHandle
from runner.services.containers.lifecycle import ALIVE, State
from runner.services.containers.operations import Operations
from runner.services.containers.supervisor import Supervisor
from runner.services.containers.waiting import Condition, Waiter
from runner.services.signals import parse_signal
from runner.storage.snapshots.changes import usage
from runner.tasks.shielded import ShieldedTasks

__all__ = ["Condition", "Container", "Containers", "MountPoint", "Waiter"]

log = structlog.get_logger()

_Operation = Callable[[ContainerHandle], Awaitable[None]]


class Containers:
    """The containers of this machine.

    A ``name`` is a container's name, its ID, or a unique prefix of its ID.  Operations on one
    container run one at a time, each to completion even if the client disconnects.
    """

    def __init__(self, deps: ContainerDeps) -> None:
        self._deps = deps
        self._table = deps.table
        self._supervisor = Supervisor(self._deps, self._auto_remove)
        self._operations = Operations(self._deps, self._supervisor, self._table.drop)
        self._shielded = ShieldedTasks()

    def find(self, name: str) -> Container:
        """The container as it is now, or NoSuchContainer."""
        return self.handle(name).view()

    def list(self) -> tuple[Container, ...]:
        """Every container in any state, newest first."""
        return self._table.list()

    def handle(self, name: str) -> ContainerHandle:
        """The container's handle, for the other services."""
        return self._table.find(name)

    async def changed_bytes(self, name: str) -> int:
        """The size in bytes of the container's writable layer."""
        written = await usage(self._deps.snapshotter, self.handle(name).id)
        return written.bytes

    async def top(
        self, name: str, arguments: Sequence[str] = ()
    ) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
        """The processes running in the container: titles, and a row for each.

        ``arguments`` are options of ps(1), for other columns than those of ``-ef``.
        """
        handle = self.handle(name)
        if handle.state not in ALIVE:
            raise NotRunning(f"container {handle.id} is not running")
        return await processes.table(handle.observed.pid, arguments)

    async def create(
        self, options: ContainerOptions, name: str | None = None, platform: str | None = None
    ) -> tuple[Container, tuple[str, ...]]:
        """Create a container; returns it and warnings for the user.

        Raises NoSuchImage, NameInUse, or BadRequest naming the invalid option.
        """
        making = creation.create(self._deps, options, name, platform, self._table.add)
        handle, warnings = await self._shielded.run(making)
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
        """Send the stop signal, and SIGKILL after ``timeout`` seconds.

        -1 waits for ever, None means the container's own timeout.
        """
        number = parse_signal(signal) if signal else None
        # Without the lock: a start or a removal must not wait for the grace period.
        await self._shielded.run(self._operations.stop(self.handle(name), timeout, number))

    async def restart(
        self,
        name: str,
        *,
        timeout: int | None = None,  # noqa: ASYNC109 — the container's time, not this call's
        signal: str | None = None,
    ) -> None:
        """Stop the container if it runs, then start it."""
        number = parse_signal(signal) if signal else None
        await self._shielded.run(self._restart(self.handle(name), timeout, number))

    async def kill(self, name: str, signal: str = "KILL") -> None:
        """Send a signal to the container's first process; after SIGKILL, wait for its exit.

        Before that process runs, SIGKILL and the container's stop signal abort the start.
        """
        number = parse_signal(signal)
        # Without the lock: a start that hangs must not block kill.
        await self._shielded.run(self._operations.kill(self.handle(name), number))

    async def pause(self, name: str) -> None:
        """Freeze all its processes."""
        await self._run_operation(name, self._operations.pause)

    async def unpause(self, name: str) -> None:
        """Thaw all its processes."""
        await self._run_operation(name, self._operations.unpause)

    async def remove(self, name: str, *, force: bool = False, volumes: bool = False) -> None:
        """Remove a container that does not run; with ``force``, kill it first.

        With ``volumes``, remove its anonymous volumes too.
        """
        found = self.handle(name)
        if force:
            await self._shielded.run(self._operations.abort_start(found))
            if found not in self._table:
                # --rm removed it when its start was aborted.
                return
        await self._run_operation(
            found.id, lambda handle: self._operations.remove(handle, force=force, volumes=volumes)
        )

    async def rename(self, name: str, new: str) -> None:
        """Rename the container; NameInUse if the name is taken."""
        names.check_container_name(new)
        await self._run_operation(name, lambda handle: self._operations.rename(handle, new))

    async def prune(
        self, matches: Callable[[Container], bool] | None = None
    ) -> tuple[tuple[str, ...], int]:
        """Remove stopped containers; returns their IDs and the bytes freed.

        All of them, or only those for which ``matches`` is true.
        """
        removed, size = [], 0
        for handle in self._table.handles():
            selected = matches is None or matches(handle.view())
            if selected and handle.state in (State.CREATED, State.EXITED):
                with suppress(RunnerError):
                    freed = await self.changed_bytes(handle.id)
                    await self.remove(handle.id)
                    removed.append(handle.id)
                    size += freed
        return tuple(removed), size

    async def wait(self, name: str, condition: Condition = Condition.NOT_RUNNING) -> Waiter:
        """Subscribe to the container's exit or removal; the waiter's ``result`` waits for it."""
        handle = self.handle(name)
        waiter = handle.waiters.join(condition)
        if condition is Condition.NOT_RUNNING and handle.state not in ALIVE:
            waiter.publish(handle.observed.exit_status)
        return waiter

    async def recover(self) -> None:
        """At the daemon's start: load every container and update its observed state.

        A container whose recovery fails is logged and left in its state: the others need a daemon.
        """
        for record in self._deps.records.containers.all():
            paths = self._deps.paths(record.id)
            self._table.add(ContainerHandle.from_record(record, paths))
        await self._deps.volumes.recover()
        known = self._table.handles()
        await self._supervisor.sweep({handle.id for handle in known})
        # In parallel: each needs a call of the runtime.
        await asyncio.gather(*map(self._recover, known))

    async def close(self) -> None:
        """At the daemon's stop: finish operations in progress.  Containers keep running.

        After ``close_seconds`` operations are cancelled: a start that hangs, a stop that waits.
        """
        await self._shielded.finish(self._deps.timing.close_seconds)
        await self._supervisor.close()
        for handle in self._table.handles():
            for streams in handle.attaching:
                streams.fail()
            if handle.run is not None:
                handle.run.disconnect()

    async def _recover(self, handle: ContainerHandle) -> None:
        try:
            await self._supervisor.recover(handle)
        except (RunnerError, OSError) as error:
            log.exception("container not recovered", container=handle.id, error=str(error))

    async def _restart(
        self, handle: ContainerHandle, grace_seconds: int | None, signal: int | None
    ) -> None:
        # Suspends --rm until the second run.
        handle.restarting = True
        try:
            if handle.state in ALIVE or handle.is_starting:
                await self._operations.stop(handle, grace_seconds, signal)
            with suppress(NotModified):
                await self._locked(handle, self._operations.start)
        finally:
            handle.restarting = False
        self._deps.publish(handle, "restart")

    async def _auto_remove(self, handle: ContainerHandle) -> None:
        """Remove a container with --rm after its exit; called by the supervisor."""
        async with handle.lock:
            # It may have been restarted or removed meanwhile.
            known = handle in self._table and not handle.restarting
            if known and handle.state not in ALIVE:
                await self._operations.remove_released(handle, volumes=True)

    async def _run_operation(self, name: str, operation: _Operation) -> None:
        await self._shielded.run(self._locked(self.handle(name), operation))

    async def _locked(self, handle: ContainerHandle, operation: _Operation) -> None:
        async with handle.lock:
            if handle not in self._table:
                raise NoSuchContainer(handle.name)
            await operation(handle)
