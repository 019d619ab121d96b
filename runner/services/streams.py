"""ContainerStreams: attach to containers, read their logs, resize their terminals.

Engine API, ``ContainerAttach``, ``ContainerLogs`` and ``ContainerResize``.
https://docs.docker.com/engine/api/v1.44/#tag/Container/operation/ContainerAttach
"""

from collections.abc import AsyncIterator
from datetime import datetime

from runner.errors import Conflict
from runner.runtime.contract import Frame, StdStream, Streams
from runner.runtime.logs import entries
from runner.services.containers import starting
from runner.services.containers.containers import Containers
from runner.services.containers.handle import ContainerHandle
from runner.services.containers.lifecycle import ALIVE, Operation, State
from runner.services.containers.streams.logs import Selection, frames
from runner.services.containers.streams.pending_streams import PendingStreams
from runner.services.containers.waiting import Condition
from runner.services.events import Events


class ContainerStreams:
    """Input and output of containers, live and logged.  A ``name`` is that of Containers."""

    def __init__(self, containers: Containers, events: Events) -> None:
        self._containers = containers
        self._events = events

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
        """The container's output; NoSuchContainer is raised at once, before the first frame."""
        handle = self._containers.handle(name)
        selection = Selection(_wanted(stdout, stderr), tail, since, until, timestamps)
        return _read_log(handle, selection, follow=follow)

    async def attach(
        self,
        name: str,
        *,
        stdout: bool,
        stderr: bool,
        stream: bool = True,
        logs: bool = False,
    ) -> Streams:
        """The container's streams; before it starts, they wait for the start and miss nothing.

        With ``logs``, earlier output comes first; without ``stream``, there is no later output.
        """
        handle = self._containers.handle(name)
        if handle.state is State.PAUSED:
            raise Conflict(f"container {name} is paused, unpause the container before attach")
        if handle.state is State.REMOVING:
            raise Conflict(f"container {name} is being removed and cannot be attached to")
        before = self.logs(name, stdout=stdout, stderr=stderr) if logs else None
        streams = PendingStreams(_wanted(stdout, stderr), before)
        if stream:
            handle.attaching.append(streams)
            if handle.state in ALIVE:
                await starting.connect_streams(handle)
        else:
            streams.fail()
        self._publish(handle, "attach")
        return streams

    async def resize(self, name: str, height: int, width: int) -> None:
        """Set the size of its terminal, in characters."""
        handle = self._containers.handle(name)
        handle.check(Operation.RESIZE)
        if (monitored := handle.monitored) is not None:
            monitored.resize(height, width)
        self._publish(handle, "resize", height=str(height), width=str(width))

    def _publish(self, handle: ContainerHandle, action: str, **more: str) -> None:
        self._events.publish("container", action, handle.id, handle.attributes(**more))


async def _read_log(
    handle: ContainerHandle, selection: Selection, *, follow: bool
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


def _wanted(stdout: bool, stderr: bool) -> tuple[StdStream, ...]:
    streams = {StdStream.STDOUT: stdout, StdStream.STDERR: stderr}
    return tuple(stream for stream, wanted in streams.items() if wanted)
