"""Image config + options → runtime spec; pure.

https://github.com/opencontainers/image-spec/blob/main/conversion.md

The spec is built from an allow-list.  Of an image it takes environment, entrypoint, command, user
and working directory: nothing else in an image can change it.  So labels are not made annotations:
runtimes act on some (crun's ``run.oci.*``), and an image must not drive a runtime.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from oci.image_config import ImageConfig
from runner.runtime.contract import ProcessSpec, RuntimeSpec
from runner.runtime.oci_spec import filesystem, limits, process, resources, security
from runner.runtime.oci_spec.host import Host
from runner.runtime.oci_spec.users import User
from runner.schema import ContainerOptions, ExecOptions, MountOption

OCI_VERSION: Final = "1.0.2"


@dataclass(frozen=True, slots=True)
class Placement:
    """A container's paths, names and cgroup on this host, chosen neither by image nor by user.

    ``files`` holds its hostname, hosts and resolv.conf.  In ``mounts`` every volume's source is its
    directory on the host; ``cgroup`` is an absolute path below the cgroup root.
    """

    id: str
    hostname: str
    rootfs: Path
    user: User
    files: Path
    cgroup: str
    mounts: tuple[MountOption, ...] = ()


def runtime_spec(
    image: ImageConfig, options: ContainerOptions, place: Placement, host: Host
) -> RuntimeSpec:
    """The bundle's ``config.json``; BadRequest for an option that makes no sense."""
    profile = security.profile(options, host)
    return {
        "ociVersion": OCI_VERSION,
        "process": process.process(image, options, place.user, place.hostname, profile, host),
        "root": {"path": str(place.rootfs), "readonly": options.read_only},
        **_names(options, place),
        "mounts": filesystem.mounts(options, place.mounts, place.files, host),
        "linux": {
            "cgroupsPath": place.cgroup,
            "namespaces": namespaces(options),
            "sysctl": resources.sysctls(options),
            "resources": resources.resources(options, host),
            **security.paths(profile, host),
            **({"seccomp": profile.seccomp} if profile.seccomp else {}),
        },
    }


def check_options(options: ContainerOptions, host: Host) -> tuple[str, ...]:
    """Refuse at ``create`` what ``start`` would refuse; returns warnings for the user."""
    limits.check_limits(options, host)
    limits.check_mounts(options.mounts)
    security.profile(options, host)
    resources.sysctls(options)
    resources.resources(options, host)
    return (*process.rlimit_warnings(options, host), *resources.warnings(options, host))


def command(image: ImageConfig, options: ContainerOptions) -> tuple[str, ...]:
    """The program and its arguments, shown by ``inspect`` as Path and Args."""
    return process.arguments(image, options)


def exec_process(
    container: RuntimeSpec, options: ExecOptions, user: User, *, tty_size: tuple[int, int] = (0, 0)
) -> ProcessSpec:
    """The process section for ``exec``: the container's, changed by the options."""
    return process.exec_process(container["process"], options, user, tty_size)


def namespaces(options: ContainerOptions) -> list[dict[str, str]]:
    """The container's own namespaces: all six, less those shared with the host."""
    shared = {
        "network": options.network_mode == "host",
        "pid": options.pid_mode == "host",
        "ipc": options.ipc_mode == "host",
        "uts": options.uts_mode == "host",
        "cgroup": options.cgroupns_mode == "host",
    }
    kinds = ("mount", "pid", "ipc", "uts", "network", "cgroup")
    return [{"type": kind} for kind in kinds if not shared.get(kind)]


def _names(options: ContainerOptions, place: Placement) -> Mapping[str, Any]:
    return {} if options.uts_mode == "host" else {"hostname": place.hostname}
