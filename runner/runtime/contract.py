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
"""A bundle's ``config.json``, by runtime-spec/config.md."""

ProcessSpec = Mapping[str, Any]
"""The ``process`` section of a runtime spec, which exec takes too."""


class StdStream(IntEnum):
    """An output of a process, by the Engine API's numbers."""

    STDOUT = 1
    STDERR = 2


class ContainerState(StrEnum):
    """The states of runtime.md, and ``paused``, which runtimes add."""

    CREATING = "creating"
    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class RuntimeState:
    """The runtime's state of a container.  ``pid`` is 0 once it has stopped."""

    status: ContainerState
    pid: int
    bundle: Path


@dataclass(frozen=True, slots=True)
class ExitStatus:
    """How a container exited.

    ``code`` is 0 to 255; 128 + the signal's number for a death by signal.  If the exit was not
    observed, ``code`` is 255 and ``error`` gives the reason.
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
    """A monitor's parameters for a container besides its spec.

    ``bundle`` holds ``config.json``, and the monitor's socket, FIFO and pid files.
    ``log_file_bytes`` is the size at which the log will be rotated, 0 for never: the monitor
    lets the file grow beyond it, up to a limit.
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

    Life: ``frames`` yields the process's output until all outputs are closed; iterate it
    once.  A reader that falls far behind is disconnected; it never blocks the process.
    ``close_stdin`` ends only stdin.  ``aclose`` may be called at any time, repeatedly, and
    does not affect the process.
    """

    def frames(self) -> AsyncIterator[Frame]: ...

    async def write(self, content: bytes) -> None:
        """Write to stdin; discarded once the process has closed it."""
        ...

    async def close_stdin(self) -> None: ...

    async def aclose(self) -> None: ...


class ExecProcess(Streams, Protocol):
    """An additional process in a running container, a child of this daemon.

    ``wait`` returns its exit code, to any number of callers, before or after the exit.
    ``frames`` must be read, or the process blocks on output; after ``aclose`` output is
    discarded.  ``frames`` ends with the process, even if a background child of it holds
    its outputs open.
    """

    @property
    def pid(self) -> int:
        """The process's pid on the host; 0 before its start and after its exit."""
        ...

    async def wait(self) -> int: ...

    def resize(self, height: int, width: int) -> None:
        """Set its terminal's size in characters; no effect without a terminal."""
        ...


class OCIRuntime(Protocol):
    """An OCI runtime: runc, crun.

    A container's life: *created* by a Monitor (which runs the runtime's own
    ``create``, so that it becomes the parent of the process), then ``start``
    once; it is *running*, or *paused* between ``pause`` and ``resume``, until
    its process ends; *stopped*, it is still known until ``delete`` undoes what
    create did.  Only then may its id be reused.

    Every call runs one child process and waits for it; RuntimeTimedOut if it takes too long.
    A refusal is a RuntimeRefused with a message for the user; ContainerUnknown means that
    the runtime has no such id.

    Every implementation passes tests/runner/runtime/test_contract.py.
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
        """Delete a stopped container; with ``force``, kill it first.

        No error if the container does not exist: an earlier daemon may have deleted it.
        """
        ...

    async def state(self, container: str) -> RuntimeState: ...

    async def exec(
        self, container: str, process: ProcessSpec, *, open_stdin: bool = False
    ) -> ExecProcess:
        """Start a process in a running container.

        A program that cannot be run exits at once with 127 or 126, and the runtime's message
        on STDERR (or on the terminal).
        """
        ...


class MonitoredContainer(Protocol):
    """A handle on a container with a monitor, which outlives the handle.

    The monitor writes the log, holds the terminal and records the exit, with or without a
    daemon.  Closing or losing the handle does not affect the container; ``Monitor.adopt``
    makes another.
    """

    @property
    def pid(self) -> int:
        """The pid on the host of the container's first process; 0 after its exit."""
        ...

    async def wait(self) -> ExitStatus:
        """Wait for the container's exit; any number of callers, at any time."""
        ...

    def signal(self, number: int) -> None:
        """Signal the first process by its pidfd, or raise NotRunning; never a reused pid."""
        ...

    async def attach(self) -> Streams:
        """Attach to the container's streams from now on; before ``start``, no output is missed."""
        ...

    def resize(self, height: int, width: int) -> None: ...

    def reopen_log(self) -> None:
        """Make the monitor open its log path again, after the file was renamed."""
        ...

    def close(self) -> None:
        """Close the handle; pending waits are cancelled.  May be repeated."""
        ...


class Monitor(Protocol):
    """Runs each container under a monitor process that outlives the daemon.

    Every implementation passes tests/runner/runtime/test_contract.py.
    """

    async def create(self, launch: Launch) -> MonitoredContainer:
        """Run the runtime's ``create``; the container then waits for ``start``.

        On RuntimeRefused no container and no monitor remain.  On RuntimeTimedOut or cancellation
        the monitor is killed, but a container may exist: delete it with force.
        """
        ...

    async def adopt(self, launch: Launch) -> MonitoredContainer:
        """Return a handle on a container that an earlier daemon created; never raises.

        The monitor is found by its pid file and verified by its command line.  If it has exited,
        ``wait`` returns at once; with code 255 and an error if no exit was recorded.
        """
        ...

    async def kill(self, container: str) -> None:
        """Kill a monitor whose create was interrupted by the daemon's death, with its children."""
        ...

    def discard_exit(self, container: str) -> None:
        """Remove the recorded exit of a container.  May be repeated."""
        ...


class Mounter(Protocol):
    """Mounts root filesystems, and in them what the user mounts.

    A rootfs is an empty directory, then mounted by ``mount``, then perhaps filled by
    ``mount_inside``; ``unmount`` leaves the empty directory, whatever was done before, and may be
    repeated.  All of it blocks, for a short time.

    Every implementation passes tests/runner/runtime/test_mounters.py.
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
