"""Container documents of the Engine API: ``ContainerSummary`` and ``ContainerInspect``.

https://docs.docker.com/engine/api/v1.44/#tag/Container/operation/ContainerList and ContainerInspect
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from runner.schema.humanize import human_duration
from runner.schema.mounts import PROPAGATIONS
from runner.schema.options import NO_HEALTHCHECK
from runner.schema.times import format_time
from runner.services.containers.containers import Container, MountPoint


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes: what a container has ``written`` on top of its image, and what the ``image`` has."""

    written: int
    image: int

    def to_json(self) -> dict[str, int]:
        return {"SizeRw": self.written, "SizeRootFs": self.written + self.image}


def summary(container: Container, *, sizes: Sizes | None = None) -> dict[str, Any]:
    """One element of ``GET /containers/json``."""
    document: dict[str, Any] = {
        "Id": container.id,
        "Names": [f"/{container.name}"],
        "Image": container.options.image,
        "ImageID": str(container.image_id),
        "Command": " ".join([container.path, *container.args]),
        "Created": int(container.created.timestamp()),
        "Ports": [],
        "Labels": dict(container.labels),
        "State": container.state,
        "Status": status(container),
        "HostConfig": {"NetworkMode": container.network_mode},
        "NetworkSettings": {"Networks": {}},
        "Mounts": [_mount(point) for point in container.mounts],
    }
    if sizes is not None:
        document |= sizes.to_json()
    return document


def inspection(container: Container, *, sizes: Sizes | None = None) -> dict[str, Any]:
    """``GET /containers/{id}/json``."""
    document: dict[str, Any] = {
        "Id": container.id,
        "Created": format_time(container.created),
        "Path": container.path,
        "Args": list(container.args),
        "State": _state(container),
        "Image": str(container.image_id),
        "ResolvConfPath": str(container.directory / "resolv.conf"),
        "HostnamePath": str(container.directory / "hostname"),
        "HostsPath": str(container.directory / "hosts"),
        "LogPath": str(container.log_path),
        "Name": f"/{container.name}",
        "RestartCount": 0,
        "Driver": "overlay",
        "Platform": "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": "",
        "ExecIDs": list(container.exec_ids) or None,
        "HostConfig": _host_config(container),
        "GraphDriver": {"Name": "overlay", "Data": None},
        "Mounts": [_mount(point) for point in container.mounts],
        "Config": _config(container),
        "NetworkSettings": {"SandboxID": "", "Ports": {}, "Networks": {}},
    }
    if sizes is not None:
        document |= sizes.to_json()
    return document


def status(container: Container) -> str:
    """The STATUS column: "Up 3 minutes (Paused)", "Exited (0) 2 hours ago"."""
    if container.is_running:
        since = human_duration(_since(container.started_at))
        return f"Up {since} (Paused)" if container.state == "paused" else f"Up {since}"
    if container.state == "exited":
        since = human_duration(_since(container.finished_at))
        return f"Exited ({container.exit_code}) {since} ago"
    return "Removal In Progress" if container.state == "removing" else "Created"


def _since(when: datetime | None) -> float:
    return (datetime.now(UTC) - when).total_seconds() if when is not None else 0.0


def _state(container: Container) -> dict[str, Any]:
    return {
        "Status": container.state,
        # The Engine API counts a paused container as running.
        "Running": container.is_running,
        "Paused": container.state == "paused",
        "Restarting": False,
        "OOMKilled": container.oom_killed,
        "Dead": False,
        "Pid": container.pid,
        "ExitCode": container.exit_code,
        "Error": container.error,
        "StartedAt": format_time(container.started_at),
        "FinishedAt": format_time(container.finished_at),
    }


def _host_config(container: Container) -> dict[str, Any]:
    requested = container.options.to_json()["HostConfig"]
    return {
        **requested,
        "Binds": None,
        "NetworkMode": container.network_mode,
        "PortBindings": {},
        "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
        "Runtime": "runc",
        **{key: 0 for key, value in requested.items() if value is None and key in _ZERO_WHEN_UNSET},
        "ConsoleSize": requested["ConsoleSize"] or [0, 0],
    }


# Clients expect a number for an unset field; only PidsLimit may be null.
_ZERO_WHEN_UNSET = frozenset(
    {"Memory", "MemorySwap", "MemoryReservation", "NanoCpus", "CpuPeriod", "CpuQuota",
     "CpuShares", "BlkioWeight", "OomScoreAdj", "ShmSize"}
)  # fmt: skip


def _config(container: Container) -> dict[str, Any]:
    requested = container.options.to_json()
    del requested["HostConfig"]
    stop_timeout = requested.pop("StopTimeout")
    document: dict[str, Any] = {
        **requested,
        "Entrypoint": list(container.entrypoint) or None,
        "Cmd": list(container.command) or None,
        "Hostname": container.hostname,
        "Env": list(container.env),
        "WorkingDir": container.working_dir,
        "User": container.user,
        "Labels": dict(container.labels),
        "StopSignal": container.stop_signal,
        "Volumes": {point.target: {} for point in container.mounts if point.kind == "volume"},
        "OnBuild": None,
    }
    if stop_timeout is not None:
        document["StopTimeout"] = stop_timeout
    image = container.image_config
    del document["Healthcheck"]
    if container.options.healthcheck == NO_HEALTHCHECK:
        document["Healthcheck"] = dict(NO_HEALTHCHECK)
    elif image.healthcheck is not None:
        document["Healthcheck"] = image.healthcheck.to_json()
    # As docker, omit the field when it is empty.
    del document["ExposedPorts"]
    if ports := (*image.exposed_ports, *container.options.exposed_ports):
        document["ExposedPorts"] = {port: {} for port in ports}
    if image.shell:
        document["Shell"] = list(image.shell)
    return document


def _mount(point: MountPoint) -> dict[str, Any]:
    document: dict[str, Any] = {"Type": point.kind}
    if point.kind == "volume":
        document |= {"Name": point.volume, "Driver": "local"}
    # The runtime's default is rprivate.
    propagation = next((word for word in point.options if word in PROPAGATIONS), "rprivate")
    return {
        **document,
        "Source": point.source,
        "Destination": point.target,
        "Mode": "",
        "RW": not point.read_only,
        "Propagation": propagation if point.kind == "bind" else "",
    }
