"""ContainerHandle: the daemon's in-memory state of one container."""

import asyncio
from dataclasses import dataclass, field, replace
from pathlib import Path

from runner.linux.mounts import Mount
from runner.runtime.contract import Launch, MonitoredContainer, RuntimeSpec
from runner.runtime.oci_spec import process, spec
from runner.schema.logging import LogOptions
from runner.services.containers.container import Container, Desired, Observed
from runner.services.containers.lifecycle import Operation, State, next_state
from runner.services.containers.streams.pending_streams import PendingStreams
from runner.services.containers.waiting import Waiters
from runner.services.log_rotation import ContainerLog
from runner.storage.records.values import ContainerRecord

LOG_NAME = "container.log"


@dataclass(frozen=True, slots=True)
class ContainerPaths:
    """One container's paths: ``directory`` survives a reboot, the others do not.

    ``rootfs`` is the mount point of its snapshot, outside the bundle, which is removed as a tree.
    """

    directory: Path
    bundle: Path
    rootfs: Path

    @property
    def log(self) -> Path:
        return self.directory / LOG_NAME


@dataclass(slots=True, eq=False)
class Run:
    """One run of a container: from its start until process, mounts and bundle are removed.

    The steps of the start fill in ``spec`` and ``monitored``; ``starting`` is their task, while
    it can be aborted.
    """

    spec: RuntimeSpec | None = None
    monitored: MonitoredContainer | None = None
    starting: asyncio.Task[None] | None = None
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def disconnect(self) -> None:
        """Close the connection to its monitor, if there is one."""
        if self.monitored is not None:
            self.monitored.close()
            self.monitored = None


class ContainerHandle:
    """A container's record, its run, waiters, and the lock of its operations.

    Operations run one at a time, under ``lock``, except those that end a run: ``stop`` waits
    without the lock, and aborts a start in progress.  The exit of the process is handled without
    the lock.  ``run`` is None unless there is something to release; a container in one of the
    states ALIVE has one.
    """

    def __init__(
        self, id: str, name: str, desired: Desired, observed: Observed, paths: ContainerPaths
    ) -> None:
        self.id = id
        self.name = name
        self.desired = desired
        self.observed = observed
        self.paths = paths
        self.lock = asyncio.Lock()
        self.waiters = Waiters()
        self.attaching: list[PendingStreams] = []
        self.rootfs_mounts: tuple[Mount, ...] = ()
        self.exec_ids: list[str] = []
        self.restarting = False
        self.run: Run | None = None
        self._log_options = LogOptions.parse(desired.options.log_options)
        self._fixed = _fixed(self)

    @classmethod
    def from_record(cls, record: ContainerRecord, paths: ContainerPaths) -> "ContainerHandle":
        desired = Desired.from_json(record.desired)
        return cls(record.id, record.name, desired, Observed.from_json(record.observed), paths)

    def to_record(self) -> ContainerRecord:
        return ContainerRecord(self.id, self.name, self.desired.to_json(), self.observed.to_json())

    @property
    def state(self) -> State:
        return self.observed.state

    def check(self, operation: Operation) -> State:
        """The state after the operation; raises if it is refused."""
        return next_state(self.state, operation, self.id, self.name)

    @property
    def monitored(self) -> MonitoredContainer | None:
        """The monitored process of its run, once there is one."""
        return self.run.monitored if self.run is not None else None

    @property
    def is_starting(self) -> bool:
        return self.run is not None and self.run.starting is not None

    def end_run(self) -> None:
        """Drop the run, whose parts are removed, and wake those in ``wait_released``."""
        run, self.run = self.run, None
        if run is not None:
            run.released.set()

    async def wait_released(self) -> None:
        """Wait until the present run is removed; return at once if there is none."""
        if self.run is not None:
            await self.run.released.wait()

    @property
    def launch(self) -> Launch:
        options = self.desired.options
        return Launch(
            self.id,
            self.paths.bundle,
            self.paths.log,
            terminal=options.tty,
            open_stdin=options.open_stdin,
            # Clients detach from a terminal and attach again; a pipe ends with its first client.
            stdin_once=options.stdin_once and not options.tty,
            log_file_bytes=self._log_options.file_bytes,
        )

    @property
    def log(self) -> ContainerLog:
        """Its log, for rotation, while it is monitored."""
        assert self.monitored is not None
        return ContainerLog(self.paths.log, self._log_options, self.monitored.reopen_log)

    def view(self) -> Container:
        """A snapshot of the container's state."""
        seen = self.observed
        return replace(
            self._fixed,
            name=self.name,
            state=seen.state,
            pid=seen.pid,
            exit_code=seen.exit_code,
            error=seen.error,
            oom_killed=seen.oom_killed,
            started_at=seen.started_at,
            finished_at=seen.finished_at,
            exec_ids=tuple(self.exec_ids),
        )

    def attributes(self, **more: str) -> dict[str, str]:
        """The attributes of its events: labels, image and name."""
        labels = dict(self._fixed.labels)
        return {**labels, "image": self.desired.options.image, "name": self.name, **more}


def _fixed(handle: ContainerHandle) -> Container:
    desired = handle.desired
    options, image = desired.options, desired.image
    path, *args = spec.command(image, options)
    entrypoint, command = process.entrypoint_and_command(image, options)
    directory = options.working_dir or image.working_dir
    return Container(
        id=handle.id,
        name=handle.name,
        created=desired.created,
        image_id=desired.image_id,
        options=options,
        image_config=image,
        entrypoint=entrypoint,
        command=command,
        path=path,
        args=tuple(args),
        env=tuple(process.environment(image, options, desired.hostname)),
        working_dir=process.working_directory(directory) if directory else "",
        user=options.user or image.user,
        labels={**image.labels, **options.labels},
        hostname=desired.hostname,
        mounts=desired.mounts,
        stop_signal=desired.stop_signal,
        stop_timeout=desired.stop_timeout,
        network_mode="host" if options.network_mode == "host" else "none",
        state=handle.observed.state,
        pid=0,
        exit_code=0,
        error="",
        oom_killed=False,
        started_at=None,
        finished_at=None,
        directory=handle.paths.directory,
        log_path=handle.paths.log,
    )
