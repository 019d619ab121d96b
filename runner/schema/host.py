"""Parse ``HostConfig`` of a create body, field by field.

Engine API, ``HostConfig`` and ``Resources``.
https://docs.docker.com/engine/api/v1.44/#tag/Container/operation/ContainerCreate
"""

from collections.abc import Callable, Mapping
from typing import Any

from runner.errors import BadRequest, Kind
from runner.schema import fields

NETWORK_MODES = ("default", "none", "host")

ONLY_NETWORKS = "this version of the runner has only the networks none and host"

# Docker's minimum: below it a process cannot start.
MINIMUM_MEMORY = 6 * 1024 * 1024


def network_not_offered(name: str) -> BadRequest:
    return BadRequest(
        f"network {name!r} is not offered: {ONLY_NETWORKS}", kind=Kind.NETWORK_NOT_OFFERED
    )


def optional_integer(document: Mapping[str, Any], key: str) -> int | None:
    return fields.integer(document, key) if document.get(key) is not None else None


def optional_text(document: Mapping[str, Any], key: str) -> str | None:
    return fields.text(document, key) or None


def env(document: Mapping[str, Any], key: str) -> tuple[str, ...]:
    found = fields.strings(document, key)
    for entry in found:
        if not entry or entry.startswith("="):
            raise BadRequest(f"invalid environment variable: {entry!r}")
    return found


def console_size(document: Mapping[str, Any], key: str) -> tuple[int, int] | None:
    """Height and width of the terminal; [0, 0] means none."""
    found = document.get(key)
    if not found:
        return None
    numbers = found if isinstance(found, list) else []
    # The kernel keeps each in 16 bits.
    if len(numbers) != 2 or not all(type(n) is int and 0 <= n < 1 << 16 for n in numbers):
        raise BadRequest(f"{key}: expected [height, width], found {found!r}")
    return (numbers[0], numbers[1]) if any(numbers) else None


def _positive(document: Mapping[str, Any], key: str) -> int | None:
    value = fields.integer(document, key)
    if value < 0:
        raise BadRequest(f"{key}: {value} is negative")
    return value or None


def _non_zero(document: Mapping[str, Any], key: str) -> int | None:
    return fields.integer(document, key) or None


def _memory(document: Mapping[str, Any], key: str) -> int | None:
    value = _positive(document, key)
    if value is not None and value < MINIMUM_MEMORY:
        raise BadRequest(f"Minimum memory limit allowed is 6MB, found {value} bytes")
    return value


def _pids_limit(document: Mapping[str, Any], key: str) -> int | None:
    value = fields.integer(document, key)
    return max(value, -1) or None


def _network_mode(document: Mapping[str, Any], key: str) -> str:
    mode = fields.text(document, key) or "default"
    # docker's command sends "default" without --network; "bridge" means an explicit request.
    if mode not in NETWORK_MODES:
        raise network_not_offered(mode)
    return mode


def _choice(*offered: str) -> Callable[[Mapping[str, Any], str], str]:
    def read(document: Mapping[str, Any], key: str) -> str:
        value = fields.text(document, key)
        if value not in ("", *offered):
            expected = ", ".join(offered)
            raise BadRequest(f"{key} {value!r} is not offered: expected one of {expected}")
        return value

    return read


FIELDS: dict[str, tuple[str, Callable[[Mapping[str, Any], str], Any]]] = {
    "auto_remove": ("AutoRemove", fields.boolean),
    "read_only": ("ReadonlyRootfs", fields.boolean),
    "network_mode": ("NetworkMode", _network_mode),
    "extra_hosts": ("ExtraHosts", fields.strings),
    "pid_mode": ("PidMode", _choice("private", "host")),
    "ipc_mode": ("IpcMode", _choice("private", "shareable", "none", "host")),
    "uts_mode": ("UTSMode", _choice("host")),
    "cgroupns_mode": ("CgroupnsMode", _choice("private", "host")),
    "group_add": ("GroupAdd", fields.strings),
    "memory": ("Memory", _memory),
    "memory_swap": ("MemorySwap", _non_zero),
    "memory_reservation": ("MemoryReservation", _positive),
    "nano_cpus": ("NanoCpus", _positive),
    "cpu_period": ("CpuPeriod", _positive),
    "cpu_quota": ("CpuQuota", _non_zero),
    "cpu_shares": ("CpuShares", _positive),
    "cpuset_cpus": ("CpusetCpus", fields.text),
    "cpuset_mems": ("CpusetMems", fields.text),
    "pids_limit": ("PidsLimit", _pids_limit),
    "blkio_weight": ("BlkioWeight", _positive),
    "oom_score_adj": ("OomScoreAdj", _non_zero),
    "shm_size": ("ShmSize", _positive),
    "sysctls": ("Sysctls", fields.string_map),
    "cap_add": ("CapAdd", fields.strings),
    "cap_drop": ("CapDrop", fields.strings),
    "security_opt": ("SecurityOpt", fields.strings),
    "privileged": ("Privileged", fields.boolean),
    "init": ("Init", fields.boolean),
    # Written by the client; the daemon only returns it.
    "container_id_file": ("ContainerIDFile", fields.text),
    "console_size": ("ConsoleSize", console_size),
}
