"""Container, with its desired and its observed state.

Both are stored in its record; a starting daemon updates the observed state.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

from oci.digest import Digest
from oci.image_config import ImageConfig
from runner.runtime.contract import ExitStatus
from runner.schema import ContainerOptions
from runner.schema.mounts import MountKind, MountOption
from runner.services.containers.lifecycle import ALIVE, State

DEFAULT_STOP_SIGNAL: Final = "SIGTERM"


@dataclass(frozen=True, slots=True)
class MountPoint:
    """One resolved mount: ``source`` is a path of the host, "" for a tmpfs.

    For a volume, ``volume`` is its name; ``anonymous`` if it was created for the container.
    """

    kind: MountKind
    source: str
    target: str
    read_only: bool = False
    volume: str = ""
    options: tuple[str, ...] = ()
    anonymous: bool = False

    def to_option(self) -> MountOption:
        """The mount for the spec: a volume becomes a bind of its directory."""
        return MountOption(self.kind, self.source, self.target, self.read_only, self.options)

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "source": self.source,
            "target": self.target,
            "read_only": self.read_only,
            "volume": self.volume,
            "options": list(self.options),
            "anonymous": self.anonymous,
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        return cls(**{**document, "options": tuple(document["options"])})


@dataclass(frozen=True, slots=True)
class Desired:
    """The configuration fixed at ``create``.

    Includes the image's whole config: the container outlives its image's names.
    """

    created: datetime
    image_id: Digest
    image: ImageConfig
    options: ContainerOptions
    hostname: str
    stop_signal: str
    stop_timeout: int
    mounts: tuple[MountPoint, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "created": self.created.isoformat(),
            "image_id": str(self.image_id),
            "image_config": self.image.content.decode(),
            "options": self.options.to_json(),
            "hostname": self.hostname,
            "stop_signal": self.stop_signal,
            "stop_timeout": self.stop_timeout,
            "mounts": [mount.to_json() for mount in self.mounts],
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        return cls(
            datetime.fromisoformat(document["created"]),
            Digest.parse(document["image_id"]),
            ImageConfig.parse(document["image_config"].encode()),
            ContainerOptions.from_json(document["options"]),
            document["hostname"],
            document["stop_signal"],
            document["stop_timeout"],
            tuple(MountPoint.from_json(mount) for mount in document["mounts"]),
        )


@dataclass(frozen=True, slots=True)
class Observed:
    """The last observed state."""

    state: State = State.CREATED
    pid: int = 0
    exit_code: int = 0
    error: str = ""
    oom_killed: bool = False
    started_at: datetime | None = None
    finished_at: datetime | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "state": str(self.state),
            "pid": self.pid,
            "exit_code": self.exit_code,
            "error": self.error,
            "oom_killed": self.oom_killed,
            "started_at": self.started_at.isoformat() if self.started_at else None,
            "finished_at": self.finished_at.isoformat() if self.finished_at else None,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        started, finished = document["started_at"], document["finished_at"]
        return cls(
            State(document["state"]),
            document["pid"],
            document["exit_code"],
            document["error"],
            document["oom_killed"],
            datetime.fromisoformat(started) if started else None,
            datetime.fromisoformat(finished) if finished else None,
        )

    @property
    def exit_status(self) -> ExitStatus:
        """The last exit status; code 0 if it never ran."""
        finished = self.finished_at or datetime.fromtimestamp(0, UTC)
        return ExitStatus(self.exit_code, finished, self.oom_killed, self.error)


@dataclass(frozen=True, slots=True)
class Container:
    """A snapshot of a container's state.  Times are UTC.

    ``options`` are the user's, with the image's name as typed; ``entrypoint``, ``command``,
    ``path``, ``args``, ``env``, ``working_dir``, ``user`` and ``labels`` include the image's
    defaults; ``image_config`` is the image's own config.
    ``directory`` holds its hostname, hosts and resolv.conf.
    """

    id: str
    name: str
    created: datetime
    image_id: Digest
    options: ContainerOptions
    image_config: ImageConfig
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    path: str
    args: tuple[str, ...]
    env: tuple[str, ...]
    working_dir: str
    user: str
    labels: Mapping[str, str]
    hostname: str
    mounts: tuple[MountPoint, ...]
    stop_signal: str
    stop_timeout: int
    network_mode: str
    state: State
    pid: int
    exit_code: int
    error: str
    oom_killed: bool
    started_at: datetime | None
    finished_at: datetime | None
    directory: Path
    log_path: Path
    exec_ids: tuple[str, ...] = field(default=())

    @property
    def is_running(self) -> bool:
        """Whether it has a process, which may be paused: docker's ``State.Running``."""
        return self.state in ALIVE
