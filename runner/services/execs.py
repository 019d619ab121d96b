"""Execs: run additional processes in containers.

Engine API, "Exec".  An exec is a child of the daemon and ends with it.
https://docs.docker.com/engine/api/v1.44/#tag/Exec
"""

import asyncio
import os
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, replace
from typing import Final

from runner.errors import Conflict, NoSuchExec
from runner.runtime.contract import ExecProcess, Frame, OCIRuntime, ProcessSpec, StdStream, Streams
from runner.runtime.oci_spec.spec import exec_process
from runner.runtime.oci_spec.users import User, find_user
from runner.schema import ExecOptions
from runner.services.containers.containers import Containers
from runner.services.containers.handle import ContainerHandle
from runner.services.containers.lifecycle import Operation
from runner.services.events import Events
from runner.services.names import new_id
from runner.tasks import background
from runner.tasks.threads import in_thread

# Ended execs kept per container, so that their exit codes can be inspected.
MAX_ENDED: Final = 32
# Execs kept per container that have not been started.  Clients start theirs at once.
MAX_NOT_STARTED: Final = 256


@dataclass(frozen=True, slots=True)
class Exec:
    """A snapshot of an exec.  ``exit_code`` is None until its exit, ``pid`` 0 unless it runs."""

    id: str
    container: str
    options: ExecOptions
    running: bool = False
    exit_code: int | None = None
    pid: int = 0


class Execs:
    """The execs of this daemon: created, started once, kept while their container exists.

    Of the ended ones and of those never started, each container keeps only the newest.
    """

    def __init__(self, containers: Containers, runtime: OCIRuntime, events: Events) -> None:
        self._containers = containers
        self._runtime = runtime
        self._events = events
        self._all: dict[str, Exec] = {}
        self._processes: dict[str, ExecProcess] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def create(self, container: str, options: ExecOptions) -> str:
        """Create an exec; Conflict unless the container runs."""
        handle = self._containers.handle(container)
        handle.check(Operation.EXEC)
        # Refuse invalid options now, not at start.
        await self._process_spec(handle, options)
        identifier = new_id()
        self._all[identifier] = Exec(identifier, handle.id, options)
        handle.exec_ids.append(identifier)
        self._drop_old(handle)
        command = " ".join(options.command)
        self._publish(handle, f"exec_create: {command}", execID=identifier)
        return identifier

    async def start(self, exec_id: str, *, detach: bool = False) -> Streams | None:
        """Start the exec; returns its streams, or None if detached."""
        found = self.find(exec_id)
        if found.running or found.exit_code is not None:
            raise Conflict(f"exec {exec_id} has already run")
        handle = self._containers.handle(found.container)
        handle.check(Operation.EXEC)
        options = found.options
        self._all[exec_id] = replace(found, running=True)
        try:
            process_spec = await self._process_spec(handle, options)
            process = await self._runtime.exec(
                handle.id, process_spec, open_stdin=options.attach_stdin and not detach
            )
        except BaseException:
            self._all[exec_id] = found
            raise
        self._processes[exec_id] = process
        self._all[exec_id] = replace(found, running=True, pid=process.pid)
        self._publish(handle, f"exec_start: {' '.join(options.command)}", execID=exec_id)
        end = background.start(
            self._watch_exit(exec_id, process, handle), f"watch exec {exec_id[:12]}"
        )
        self._tasks.add(end)
        end.add_done_callback(self._tasks.discard)
        if detach:
            await process.aclose()
            return None
        return _ChosenStreams(process, _wanted(options), end)

    async def resize(self, exec_id: str, height: int, width: int) -> None:
        """Set the size of its terminal, in characters; Conflict unless it runs."""
        process = self._processes.get(self.find(exec_id).id)
        if process is None:
            raise Conflict(f"exec {exec_id} is not running")
        process.resize(height, width)

    def find(self, exec_id: str) -> Exec:
        found = self._all.get(exec_id)
        if found is None:
            raise NoSuchExec(exec_id)
        return found

    async def close(self) -> None:
        """At the daemon's stop: execs end with it."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _process_spec(self, handle: ContainerHandle, options: ExecOptions) -> ProcessSpec:
        assert handle.run is not None
        assert handle.run.spec is not None
        spec = handle.run.spec
        container_user = handle.desired.options.user or handle.desired.image.user
        text = options.user or container_user
        # --group-add applies to the container's own user only.
        added = () if options.user else handle.desired.options.group_add
        user = await in_thread(_find_user, handle.paths.rootfs, text, added)
        return exec_process(spec, options, user)

    async def _watch_exit(
        self, exec_id: str, process: ExecProcess, handle: ContainerHandle
    ) -> None:
        code = await process.wait()
        self._processes.pop(exec_id, None)
        if exec_id in self._all:
            self._all[exec_id] = replace(self._all[exec_id], running=False, exit_code=code, pid=0)
        self._publish(handle, "exec_die", execID=exec_id, exitCode=str(code))

    def _drop_old(self, handle: ContainerHandle) -> None:
        """Drop all but the newest of those that do not run, and those of removed containers."""
        idle = [one for one in handle.exec_ids if not self._all[one].running]
        ended = [one for one in idle if self._all[one].exit_code is not None]
        not_started = [one for one in idle if self._all[one].exit_code is None]
        for exec_id in (*ended[:-MAX_ENDED], *not_started[:-MAX_NOT_STARTED]):
            handle.exec_ids.remove(exec_id)
            del self._all[exec_id]
        present = {container.id for container in self._containers.list()}
        for exec_id, found in tuple(self._all.items()):
            if found.container not in present and not found.running:
                del self._all[exec_id]

    def _publish(self, handle: ContainerHandle, action: str, **more: str) -> None:
        self._events.publish("container", action, handle.id, handle.attributes(**more))


class _ChosenStreams:
    """A process's streams limited to the requested outputs; all are read."""

    def __init__(
        self, process: ExecProcess, wanted: Collection[StdStream], end: asyncio.Task[None]
    ) -> None:
        self._process = process
        self._wanted = frozenset(wanted)
        self._end = end

    async def frames(self) -> AsyncIterator[Frame]:
        async for frame in self._process.frames():
            if frame.stream in self._wanted:
                yield frame
        # The exit code must be available when the streams end.
        await asyncio.shield(self._end)

    async def write(self, content: bytes) -> None:
        await self._process.write(content)

    async def close_stdin(self) -> None:
        await self._process.close_stdin()

    async def aclose(self) -> None:
        await self._process.aclose()


def _wanted(options: ExecOptions) -> tuple[StdStream, ...]:
    if options.tty:
        return (StdStream.STDOUT,) if options.attach_stdout or options.attach_stderr else ()
    streams = {StdStream.STDOUT: options.attach_stdout, StdStream.STDERR: options.attach_stderr}
    return tuple(stream for stream, wanted in streams.items() if wanted)


def _find_user(rootfs: os.PathLike[str], text: str, added: tuple[str, ...]) -> User:
    root = os.open(rootfs, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return find_user(root, text, added)
    finally:
        os.close(root)
