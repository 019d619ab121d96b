"""ContainerOptions: the body of POST /containers/create.

Engine API, ``ContainerConfig`` and ``HostConfig``.  Unsupported fields are refused by name.
https://docs.docker.com/engine/api/v1.44/#tag/Container/operation/ContainerCreate
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from runner.errors import BadRequest
from runner.schema import fields, host
from runner.schema.logging import DRIVER, log_options
from runner.schema.mounts import MountOption, check_target
from runner.schema.offered import refuse_unsupported


@dataclass(frozen=True, slots=True)
class Ulimit:
    """One resource limit, by its setrlimit(2) name without RLIMIT_."""

    name: str
    soft: int
    hard: int


@dataclass(frozen=True, slots=True)
class ContainerOptions:
    """The user's options, before the image's defaults are applied.

    ``None`` means unset; sizes are bytes, times seconds, ``nano_cpus`` 10⁻⁹ of a CPU.
    ``entrypoint`` ``()`` clears the image's (and with it the image's command).  An ``env`` entry
    without ``=`` removes the variable.  ``pids_limit`` -1 is without limit.  ``healthcheck`` holds
    what was given of ``Healthcheck``, to be compared with the image's.
    """

    image: str
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    env: tuple[str, ...] = ()
    working_dir: str = ""
    user: str = ""
    group_add: tuple[str, ...] = ()
    hostname: str = ""
    domainname: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    tty: bool = False
    open_stdin: bool = False
    stdin_once: bool = False
    attach_stdin: bool = False
    attach_stdout: bool = False
    attach_stderr: bool = False
    stop_signal: str | None = None
    stop_timeout: int | None = None
    auto_remove: bool = False
    mounts: tuple[MountOption, ...] = ()
    read_only: bool = False
    network_mode: str = "default"
    extra_hosts: tuple[str, ...] = ()
    pid_mode: str = ""
    ipc_mode: str = ""
    uts_mode: str = ""
    cgroupns_mode: str = ""
    memory: int | None = None
    memory_swap: int | None = None
    memory_reservation: int | None = None
    nano_cpus: int | None = None
    cpu_period: int | None = None
    cpu_quota: int | None = None
    cpu_shares: int | None = None
    cpuset_cpus: str = ""
    cpuset_mems: str = ""
    pids_limit: int | None = None
    blkio_weight: int | None = None
    oom_score_adj: int | None = None
    shm_size: int | None = None
    ulimits: tuple[Ulimit, ...] = ()
    sysctls: Mapping[str, str] = field(default_factory=dict)
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    security_opt: tuple[str, ...] = ()
    privileged: bool = False
    init: bool = False
    console_size: tuple[int, int] | None = None
    log_options: Mapping[str, str] = field(default_factory=dict)
    container_id_file: str = ""
    exposed_ports: tuple[str, ...] = ()
    healthcheck: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Parse a create body; BadRequest names the first invalid or unsupported field."""
        image = fields.text(document, "Image")
        if not image:
            raise BadRequest("Image: no image was named")
        config = {name: read(document, key) for name, (key, read) in _CONFIG.items()}
        host_config = fields.mapping(document, "HostConfig")
        refuse_unsupported(document, host_config, (key for key, _ in _CONFIG.values()))
        limits = {name: read(host_config, key) for name, (key, read) in host.FIELDS.items()}
        ulimits = tuple(_ulimit(item) for item in fields.objects(host_config, "Ulimits"))
        mounts = _mounts(document, host_config)
        logged = log_options(host_config)
        return cls(
            image=image, ulimits=ulimits, mounts=mounts, log_options=logged, **config, **limits
        )

    def to_json(self) -> dict[str, Any]:
        """The create body that ``from_json`` reads back as this, and ``inspect`` shows."""
        document = {key: _plain(getattr(self, name)) for name, (key, _) in _CONFIG.items()}
        limits = {key: _plain(getattr(self, name)) for name, (key, _) in host.FIELDS.items()}
        limits["Ulimits"] = [
            {"Name": one.name, "Soft": one.soft, "Hard": one.hard} for one in self.ulimits
        ]
        limits["LogConfig"] = {"Type": DRIVER, "Config": dict(self.log_options)}
        limits["Mounts"] = [mount.to_json() for mount in self.mounts]
        if self.entrypoint == ():
            document["Entrypoint"] = [""]
        document["ExposedPorts"] = {port: {} for port in self.exposed_ports}
        return {"Image": self.image, **document, "HostConfig": limits}


NO_HEALTHCHECK: Final[Mapping[str, Any]] = {"Test": ["NONE"]}

_PORTS = re.compile(r"[0-9]{1,5}(-[0-9]{1,5})?", re.ASCII)


def _command(document: Mapping[str, Any], key: str) -> tuple[str, ...] | None:
    return fields.strings(document, key) or None


def _exposed_ports(document: Mapping[str, Any], key: str) -> tuple[str, ...]:
    # Also read back from inspect, where it has the same form.
    ports = tuple(fields.mapping(document, key))
    for port in ports:
        number, _, protocol = port.partition("/")
        if not _PORTS.fullmatch(number) or protocol not in ("", "tcp", "udp", "sctp"):
            raise BadRequest(f"invalid exposed port {port!r}: expected PORT[-PORT][/tcp|udp|sctp]")
    return ports


def _healthcheck(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    given = fields.mapping(document, key)
    return {name: value for name, value in given.items() if not fields.is_unset(value)}


def _entrypoint(document: Mapping[str, Any], key: str) -> tuple[str, ...] | None:
    # [""] resets the entrypoint; [] and null leave the image's.
    found = fields.strings(document, key)
    return () if found == ("",) else found or None


_CONFIG: dict[str, tuple[str, Callable[[Mapping[str, Any], str], Any]]] = {
    "command": ("Cmd", _command),
    "entrypoint": ("Entrypoint", _entrypoint),
    "env": ("Env", host.env),
    "working_dir": ("WorkingDir", fields.text),
    "user": ("User", fields.text),
    "hostname": ("Hostname", fields.text),
    "domainname": ("Domainname", fields.text),
    "labels": ("Labels", fields.string_map),
    "tty": ("Tty", fields.boolean),
    "open_stdin": ("OpenStdin", fields.boolean),
    "stdin_once": ("StdinOnce", fields.boolean),
    "attach_stdin": ("AttachStdin", fields.boolean),
    "attach_stdout": ("AttachStdout", fields.boolean),
    "attach_stderr": ("AttachStderr", fields.boolean),
    "stop_signal": ("StopSignal", host.optional_text),
    "stop_timeout": ("StopTimeout", host.optional_integer),
    "exposed_ports": ("ExposedPorts", _exposed_ports),
    "healthcheck": ("Healthcheck", _healthcheck),
}


def _mounts(document: Mapping[str, Any], host_config: Mapping[str, Any]) -> tuple[MountOption, ...]:
    """``Mounts``, ``Binds``, ``Tmpfs`` and ``Volumes`` together; a target only once."""
    mounts = [MountOption.from_json(item) for item in fields.objects(host_config, "Mounts")]
    mounts += [MountOption.parse_bind(item) for item in fields.strings(host_config, "Binds")]
    tmpfs = fields.string_map(host_config, "Tmpfs")
    mounts += [MountOption.parse_tmpfs(target, options) for target, options in tmpfs.items()]
    targets = Counter(mount.target for mount in mounts)
    for target, times in targets.items():
        if times > 1:
            raise BadRequest(f"Duplicate mount point: {target}")
    # The same path written in two ways is one volume.
    declared = dict.fromkeys(map(check_target, fields.mapping(document, "Volumes")))
    anonymous = [MountOption("volume", "", target) for target in declared]
    return (*mounts, *(mount for mount in anonymous if mount.target not in targets))


def _ulimit(document: Mapping[str, Any]) -> Ulimit:
    name = fields.text(document, "Name")
    soft, hard = fields.integer(document, "Soft"), fields.integer(document, "Hard")
    if -1 < hard < soft:
        raise BadRequest(f"ulimit {name}: soft limit {soft} is above the hard limit {hard}")
    return Ulimit(name, soft, hard)


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return list(value)
    return dict(value) if isinstance(value, Mapping) else value
