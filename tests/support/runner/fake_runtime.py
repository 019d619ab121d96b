"""FakeRuntime and FakeMonitor: the contracts of runner.runtime, kept without a process.

They pass tests/runner/runtime/test_contract.py.  A container's program is a coroutine, from
the table in ``programs.py``.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from runner.runtime.bundle import read_spec
from runner.runtime.contract import (
    ContainerState,
    ExitStatus,
    Frame,
    Launch,
    ProcessSpec,
    RuntimeState,
    StdStream,
)
from runner.runtime.errors import (
    CommandNotExecutable,
    CommandNotFound,
    ContainerUnknown,
    NotRunning,
    RuntimeRefused,
)
from tests.support.runner.fake_process import FakeExec, FakeProcess, FakeStreams, Program
from tests.support.runner.programs import PROGRAMS

_STREAM_NAMES = {StdStream.STDOUT: b"stdout", StdStream.STDERR: b"stderr"}
# Above every pid of a real process.
_FIRST_PID = 1 << 30


class FakeHost:
    """State that outlives a daemon: containers, their logs, and the ends that monitors have seen.

    A verb in ``hanging`` (``create``, ``start``, ``delete`` …) never returns, and sets ``reached``
    when it is called; one in ``refusing`` raises its error.
    """

    def __init__(self) -> None:
        self.containers: dict[str, FakeContainer] = {}
        self.exits: dict[str, ExitStatus] = {}
        self.hanging: set[str] = set()
        self.refusing: dict[str, Exception] = {}
        self.reached = asyncio.Event()
        self._pid = _FIRST_PID

    async def called(self, operation: str) -> None:
        if operation in self.refusing:
            raise self.refusing[operation]
        if operation in self.hanging:
            self.reached.set()
            await asyncio.Event().wait()

    def container(self, id_: str) -> "FakeContainer":
        if id_ not in self.containers:
            raise ContainerUnknown(f"container {id_} does not exist")
        return self.containers[id_]

    def new_pid(self) -> int:
        self._pid += 1
        return self._pid

    def record_end(self, launch: Launch, code: int) -> None:
        self.exits[launch.id] = ExitStatus(code, datetime.now(UTC))

    def kill_all(self) -> None:
        for container in self.containers.values():
            container.process.kill()


class FakeLog:
    """A log in conmon's format, written on into the same file until it is reopened."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO = path.open("ab", buffering=0)

    def write(self, frame: Frame) -> None:
        for line in frame.content.splitlines(keepends=True):
            time = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}000+00:00".encode()
            tag = b"F" if line.endswith(b"\n") else b"P"
            words = (time, _STREAM_NAMES[frame.stream], tag, line.removesuffix(b"\n"))
            self._file.write(b" ".join(words) + b"\n")

    def reopen(self) -> None:
        self._file.close()
        self._file = self._path.open("ab", buffering=0)

    def close(self) -> None:
        self._file.close()


@dataclass
class FakeContainer:
    """One container and its monitor."""

    launch: Launch
    process: FakeProcess
    pid: int
    log: FakeLog
    clients: list[FakeStreams] = field(default_factory=list)
    started: bool = False

    @property
    def status(self) -> ContainerState:
        if self.process.ended.done():
            return ContainerState.STOPPED
        if not self.started:
            return ContainerState.CREATED
        return ContainerState.PAUSED if self.process.paused else ContainerState.RUNNING

    def take(self, frame: Frame) -> None:
        self.log.write(frame)
        for client in self.clients:
            client.take(frame)


class FakeRuntime:
    """An OCIRuntime; another on the same host is the next daemon's."""

    def __init__(self, host: FakeHost) -> None:
        self._host = host

    async def start(self, container: str) -> None:
        await self._host.called("start")
        found = self._host.container(container)
        if found.status is not ContainerState.CREATED:
            raise NotRunning(f"cannot start a container that is {found.status}")
        found.started = True
        found.process.start()

    async def kill(self, container: str, signal: int) -> None:
        await self._host.called("kill")
        self._host.container(container).process.send(signal)

    async def pause(self, container: str) -> None:
        await self._host.called("pause")
        self._expect(container, ContainerState.RUNNING).process.pause()

    async def resume(self, container: str) -> None:
        await self._host.called("resume")
        self._expect(container, ContainerState.PAUSED).process.resume()

    async def delete(self, container: str, *, force: bool = False) -> None:
        await self._host.called("delete")
        found = self._host.containers.get(container)
        if found is None:
            return
        if found.status is not ContainerState.STOPPED:
            if not force:
                raise RuntimeRefused(f"cannot delete container {container} that is not stopped")
            found.process.kill()
        del self._host.containers[container]

    async def state(self, container: str) -> RuntimeState:
        await self._host.called("state")
        found = self._host.container(container)
        stopped = found.status is ContainerState.STOPPED
        return RuntimeState(found.status, 0 if stopped else found.pid, found.launch.bundle)

    async def exec(
        self, container: str, process: ProcessSpec, *, open_stdin: bool = False
    ) -> FakeExec:
        await self._host.called("exec")
        found = self._host.container(container)
        if found.status is ContainerState.RUNNING:
            program = _exec_program(found, process)
        else:
            program = _failing(f"cannot exec in a {found.status} container", 126)
        running = FakeProcess(program, process, lambda frame: streams.take(frame))
        streams = FakeExec(running, self._host.new_pid(), open_stdin=open_stdin)
        if not open_stdin:
            running.feed(b"")
        running.start()
        return streams

    def _expect(self, container: str, status: ContainerState) -> FakeContainer:
        found = self._host.container(container)
        if found.status is not status:
            raise NotRunning(f"container is {found.status}, expected {status}")
        return found


class FakeMonitored:
    """A MonitoredContainer; without a container, of one that has ended."""

    def __init__(self, host: FakeHost, launch: Launch, container: FakeContainer | None) -> None:
        self._host = host
        self._id = launch.id
        self._container = container
        self._ended: asyncio.Future[ExitStatus] = asyncio.get_running_loop().create_future()
        if container is None:
            self._end()
        else:
            container.process.ended.add_done_callback(lambda _: self._end())

    @property
    def pid(self) -> int:
        return 0 if self._ended.done() or self._container is None else self._container.pid

    async def wait(self) -> ExitStatus:
        return await asyncio.shield(self._ended)

    def signal(self, number: int) -> None:
        self._running("is not running").process.send(number)

    async def attach(self) -> FakeStreams:
        container = self._running("has no monitor to attach to")
        launch = container.launch
        streams = FakeStreams(
            container.process, takes_input=launch.open_stdin, ends_input=launch.stdin_once
        )
        container.clients.append(streams)
        return streams

    def resize(self, height: int, width: int) -> None:
        if self._container is not None:
            self._container.process.resize(height, width)

    def reopen_log(self) -> None:
        if self._container is not None:
            self._container.log.reopen()

    def close(self) -> None:
        if not self._ended.done():
            self._ended.cancel()

    def _running(self, otherwise: str) -> FakeContainer:
        if self._container is None or self._container.process.ended.done():
            raise NotRunning(f"container {self._id} {otherwise}")
        return self._container

    def _end(self) -> None:
        if not self._ended.done():
            unseen = ExitStatus(255, datetime.now(UTC), error="the exit code is not known")
            self._ended.set_result(self._host.exits.get(self._id, unseen))


class FakeMonitor:
    """A Monitor; another on the same host is the next daemon's."""

    def __init__(self, host: FakeHost) -> None:
        self._host = host

    async def create(self, launch: Launch) -> FakeMonitored:
        await self._host.called("create")
        host = self._host
        if launch.id in host.containers:
            raise RuntimeRefused("container with given ID already exists")
        spec = read_spec(launch.bundle)
        program = _program(spec["process"], Path(spec["root"]["path"]))
        process = FakeProcess(program, spec["process"], lambda frame: container.take(frame))
        container = FakeContainer(launch, process, host.new_pid(), FakeLog(launch.log))
        if not launch.open_stdin:
            process.feed(b"")
        host.containers[launch.id] = container
        process.ended.add_done_callback(lambda ended: host.record_end(launch, ended.result()))
        process.ended.add_done_callback(lambda _: container.log.close())
        return FakeMonitored(host, launch, container)

    async def adopt(self, launch: Launch) -> FakeMonitored:
        return FakeMonitored(self._host, launch, self._host.containers.get(launch.id))

    async def kill(self, container: str) -> None:
        await self._host.called("kill monitor")
        if container in self._host.containers:
            self._host.containers[container].process.kill()

    def discard_exit(self, container: str) -> None:
        self._host.exits.pop(container, None)


def _program(process: Mapping[str, Any], rootfs: Path) -> Program:
    """The program that a process is to run, or the runtime's refusal."""
    args = tuple(process["args"])
    if args in PROGRAMS:
        return PROGRAMS[args]
    if args[0].startswith("/") and (rootfs / args[0].lstrip("/")).exists():
        raise CommandNotExecutable(f'exec: "{args[0]}": permission denied')
    raise CommandNotFound(f'exec: "{args[0]}": executable file not found in $PATH')


def _exec_program(container: FakeContainer, process: Mapping[str, Any]) -> Program:
    root = Path(read_spec(container.launch.bundle)["root"]["path"])
    try:
        return _program(process, root)
    except CommandNotFound as error:
        return _failing(str(error), 127)
    except CommandNotExecutable as error:
        return _failing(str(error), 126)


def _failing(sentence: str, code: int) -> Program:
    async def fail(process: FakeProcess) -> int:
        process.err(f"{sentence}\n")
        return code

    return fail
