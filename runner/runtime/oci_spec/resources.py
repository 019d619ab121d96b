"""The spec's ``linux.resources`` and ``linux.sysctl``.

https://github.com/opencontainers/runtime-spec/blob/main/config-linux.md#control-groups

In terms of cgroup v1, as in the spec; on v2 the runtime translates.
"""

from typing import Any, Final

from runner.errors import BadRequest
from runner.runtime.oci_spec.host import Host
from runner.schema import ContainerOptions

# Stops a fork bomb.  --pids-limit -1 removes the limit.
DEFAULT_PIDS: Final = 1024
_CPU_PERIOD_MICROSECONDS: Final = 100_000

# Major and minor numbers of null, zero, full, random, urandom, tty, console.
_DEVICES: Final = ((1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 1))

# Sysctls of the IPC namespace; others would change the host.
_IPC_SYSCTLS: Final = frozenset({
    "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall",
    "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced",
})  # fmt: skip


def resources(options: ContainerOptions, host: Host) -> dict[str, Any]:
    parts = {
        "devices": devices(),
        "memory": _memory(options, host),
        "cpu": _cpu(options, host),
        "pids": _pids(options),
        "blockIO": _block_io(options, host),
    }
    return {name: part for name, part in parts.items() if part}


def warnings(options: ContainerOptions, host: Host) -> tuple[str, ...]:
    """Warnings about options that this kernel does not support."""
    found = []
    if options.memory_swap and not host.cgroups.swap_limit:
        found.append("this kernel does not limit swap: memory limited without swap")
    if options.blkio_weight and not host.cgroups.block_io_weight:
        found.append("this kernel does not weigh block I/O: blkio weight discarded")
    return tuple(found)


def devices() -> list[dict[str, Any]]:
    """Device rules: access to the default devices only; mknod is allowed for all."""
    rules: list[dict[str, Any]] = [{"allow": False, "access": "rwm"}]
    rules += [{"allow": True, "type": kind, "access": "m"} for kind in ("c", "b")]
    rules += [
        {"allow": True, "type": "c", "major": major, "minor": minor, "access": "rwm"}
        for major, minor in _DEVICES
    ]
    return rules


def sysctls(options: ContainerOptions) -> dict[str, str]:
    """Moby's two defaults, so that ping and port 80 need no capability; then the user's."""
    own_network = options.network_mode != "host"
    chosen: dict[str, str] = {}
    if own_network:
        chosen["net.ipv4.ip_unprivileged_port_start"] = "0"
        chosen["net.ipv4.ping_group_range"] = "0 2147483647"
    if options.domainname and options.uts_mode != "host":
        chosen["kernel.domainname"] = options.domainname
    for name, value in options.sysctls.items():
        own_ipc = options.ipc_mode != "host"
        isolated = (name.startswith("net.") and own_network) or (
            (name in _IPC_SYSCTLS or name.startswith("fs.mqueue.")) and own_ipc
        )
        if not isolated:
            raise BadRequest(f"sysctl {name!r} is not in a namespace of the container's own")
        chosen[name] = value
    return chosen


def _memory(options: ContainerOptions, host: Host) -> dict[str, int]:
    memory, swap = options.memory, options.memory_swap
    if swap is not None and swap != -1:
        if memory is None:
            raise BadRequest("memory-swap needs a memory limit beside it")
        if swap < memory:
            raise BadRequest(f"memory-swap {swap} is below the memory limit {memory}")
    part: dict[str, int] = {}
    if memory is not None:
        part["limit"] = memory
        if host.cgroups.swap_limit:
            part["swap"] = 2 * memory if swap is None else swap
    if options.memory_reservation is not None:
        if memory is not None and options.memory_reservation > memory:
            raise BadRequest(
                f"memory-reservation {options.memory_reservation} is above the limit {memory}"
            )
        part["reservation"] = options.memory_reservation
    return part


def _cpu(options: ContainerOptions, host: Host) -> dict[str, Any]:
    part: dict[str, Any] = {}
    if options.nano_cpus is not None:
        if options.cpu_period is not None or options.cpu_quota is not None:
            raise BadRequest("cpus conflicts with cpu-period and cpu-quota: give one of them")
        if options.nano_cpus > host.cpus * 1_000_000_000:
            raise BadRequest(
                f"range of CPUs is from 0.01 to {host.cpus}.00, "
                f"as there are only {host.cpus} CPUs available"
            )
        quota = options.nano_cpus * _CPU_PERIOD_MICROSECONDS // 1_000_000_000
        # The kernel takes no quota below a millisecond.
        part |= {"period": _CPU_PERIOD_MICROSECONDS, "quota": max(quota, 1000)}
    named = {
        "period": options.cpu_period,
        "quota": options.cpu_quota,
        "shares": options.cpu_shares,
        "cpus": options.cpuset_cpus or None,
        "mems": options.cpuset_mems or None,
    }
    return part | {name: value for name, value in named.items() if value is not None}


def _pids(options: ContainerOptions) -> dict[str, int]:
    limit = DEFAULT_PIDS if options.pids_limit is None else options.pids_limit
    return {"limit": limit} if limit > 0 else {}


def _block_io(options: ContainerOptions, host: Host) -> dict[str, int]:
    weight = options.blkio_weight
    return {"weight": weight} if weight and host.cgroups.block_io_weight else {}
