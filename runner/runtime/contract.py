"""OCIRuntime: start, state, kill, delete, exec; Monitor: what watches a container; Mounter.

https://github.com/opencontainers/runtime-spec/blob/main/runtime.md#lifecycle
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Any, Protocol

from runner.linux.mounts import Mount

RuntimeSpec = Mapping[str, Any]
"""A bundle's ``config.json``, as runtime-spec/config.md words it."""

ProcessSpec = Mapping[str, Any]
"""The ``process`` section of a runtime spec: what exec runs."""


class StdStream(IntEnum):
    """Which of a process's outputs, in the Engine API's numbers."""

    STDOUT = 1
    STDERR = 2


class ContainerState(StrEnum):
    """The states of runtime.md, and the one that runtimes add."""

    CREATING = "creating"
    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class RuntimeState:
    """What the runtime says of a container.  ``pid`` is 0 once it has stopped."""

    status: ContainerState
    pid: int
    bundle: Path


@dataclass(frozen=True, slots=True)
class ExitStatus:
    """How a container ended.

    ``code`` is 0 to 255, or 128 + the number of the signal that ended it.
    ``error`` says why when nobody saw the end: then ``code`` is 255.
    """

    code: int
    finished_at: datetime
    oom_killed: bool = False
    error: str = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """A piece of output; on a terminal everything is STDOUT."""

    stream: StdStream
    content: bytes


@dataclass(frozen=True, slots=True)
class Launch:
    """What a monitor must know of a container besides its spec.

    ``bundle`` holds ``config.json``; the monitor keeps its socket, its FIFO and
    its pid files there.  ``log_file_bytes`` is when its log will be rotated, 0 for
    never: the monitor lets the file grow beyond that, but not without an end.
    """

    id: str
    bundle: Path
    log: Path
    terminal: bool = False
    open_stdin: bool = False
    stdin_once: bool = False
    log_file_bytes: int = 0


class Streams(Protocol):
    """The open stdin and outputs of one process.

    Life: ``frames`` yields what the process writes until it has closed all of
    its outputs; read it once, by one reader.  A reader that falls far behind
    loses the connection, never the process's patience.  ``close_stdin`` is the
    end of *input* only: output goes on.  ``aclose`` may be called at any time
    and more than once, and never touches the process.
    """

    def frames(self) -> AsyncIterator[Frame]: ...

    async def write(self, content: bytes) -> None:
        """Give bytes to stdin; silently nowhere once the process has closed it."""
        ...

    async def close_stdin(self) -> None: ...

    async def aclose(self) -> None: ...


class ExecProcess(Streams, Protocol):
    """One more process inside a running container, whose end only this daemon sees.

    ``wait`` gives its exit code, to any number of callers, before or after the
    end.  Somebody must read ``frames``, or a talkative process blocks, until
    ``aclose``: what it writes then is dropped.  ``frames`` ends with the process,
    also when another one that it has left behind holds its outputs open.
    """

    @property
    def pid(self) -> int:
        """The process's pid on the host, or 0 before it has started and after it has ended."""
        ...

    async def wait(self) -> int: ...

    def resize(self, height: int, width: int) -> None:
        """Set its terminal's size in characters; nothing happens without a terminal."""
        ...


class OCIRuntime(Protocol):
    """The program that makes processes into containers: runc, crun.

    A container's life: *created* by a Monitor (which runs the runtime's own
    ``create``, so that it becomes the parent of the process), then ``start``
    once; it is *running*, or *paused* between ``pause`` and ``resume``, until
    its process ends; *stopped*, it is still known until ``delete`` undoes what
    create did.  Only then may its id be used again.

    Every call is one child process of ours that is waited for, and leaves
    nothing behind; one that takes too long is ended: RuntimeTimedOut.  A refusal is
    a RuntimeRefused whose text is one sentence for the user; ContainerUnknown says
    that the runtime has no such id.

    Every implementation passes tests/runner/runtime/test_contracts.py.
    """

    async def start(self, container: str) -> None:
        """Run the user's program.  CommandNotFound and CommandNotExecutable name it."""
        ...

    async def kill(self, container: str, signal: int) -> None:
        """Send a signal to the container's first process, or raise NotRunning."""
        ...

    async def pause(self, container: str) -> None: ...

    async def resume(self, container: str) -> None: ...

    async def delete(self, container: str, *, force: bool = False) -> None:
        """Forget a stopped container; with ``force``, kill it first.

        Deleting what is not there is not an error: it may have been done before
        the daemon was killed.
        """
        ...

    async def state(self, container: str) -> RuntimeState: ...

    async def exec(
        self, container: str, process: ProcessSpec, *, open_stdin: bool = False
    ) -> ExecProcess:
        """Start a process in a running container.

        A program that cannot be run ends at once with 127 or 126, and the
        runtime's sentence on STDERR (on a terminal: on the terminal).
        """
        ...


class MonitoredContainer(Protocol):
    """A container under its monitor; the handle is ours, the monitor is not.

    The monitor writes the log, keeps the terminal and records the exit,
    whether or not a daemon is alive.  Losing the handle (``close``, or our own
    death) changes nothing for the container; ``Monitor.adopt`` makes another.
    """

    @property
    def pid(self) -> int:
        """The container's first process, on the host; 0 when it is known to have ended."""
        ...

    async def wait(self) -> ExitStatus:
        """Sleep until the container has ended; for any number of callers, at any time."""
        ...

    def signal(self, number: int) -> None:
        """Signal the first process through its pidfd, or raise NotRunning: never a stranger."""
        ...

    async def attach(self) -> Streams:
        """Join the container's streams, from now on.  Before ``start``, nothing is missed."""
        ...

    def resize(self, height: int, width: int) -> None: ...

    def reopen_log(self) -> None:
        """Make the monitor open its log path again, after the file was renamed."""
        ...

    def close(self) -> None:
        """Let go of the handle; whoever still waits is cancelled.  May be repeated."""
        ...


class Monitor(Protocol):
    """Puts each container under a small process of its own that outlives the daemon.

    Every implementation passes tests/runner/runtime/test_contracts.py.
    """

    async def create(self, launch: Launch) -> MonitoredContainer:
        """Run the runtime's ``create``: afterwards the container waits for ``start``.

        Raises RuntimeRefused, and then nothing is left: no container, no monitor.
        Cancelled half-way, or out of time (RuntimeTimedOut), the monitor is ended, and a
        container may have come to be: delete it with force.
        """
        ...

    async def adopt(self, launch: Launch) -> MonitoredContainer:
        """Take up a container that an earlier daemon created; never raises.

        Its monitor is found by the pid file and proven by its command line.  If
        it has ended meanwhile, ``wait`` answers at once; if its end was seen by
        nobody, with code 255 and an error.
        """
        ...

    async def kill(self, container: str) -> None:
        """End a monitor whose create was cut off by a daemon's death, with all it has begun."""
        ...

    def forget(self, container: str) -> None:
        """Remove what is left of a container that ended: its exit code.  May be repeated."""
        ...


class Mounter(Protocol):
    """Mounts root filesystems, and in them what the user mounts.

    A rootfs is an empty directory, then mounted by ``mount``, then perhaps filled by
    ``mount_inside``; ``unmount`` leaves the empty directory, whatever was done before, and may be
    repeated.  All of it blocks, for a short time.
    """

    def mount(self, mounts: Sequence[Mount], rootfs: Path) -> None:
        """Mount a snapshot, in order, at one place."""
        ...

    def mount_inside(self, rootfs: Path, spec: RuntimeSpec) -> RuntimeSpec:
        """Make the mounts of the spec that are not the runtime's; returns it with those that are.

        Raises BadRequest for an image that would lead a mount elsewhere.
        """
        ...

    def unmount_inside(self, rootfs: Path) -> None:
        """Undo ``mount_inside``: a container that was created has copies of its own."""
        ...

    def unmount(self, rootfs: Path) -> None: ...
