"""Control groups, v1 and v2: detect features, move processes, read usage.

https://docs.kernel.org/admin-guide/cgroup-v2.html
https://docs.kernel.org/admin-guide/cgroup-v1/
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

ROOT: Final = Path("/sys/fs/cgroup")
# Mount options that are not controllers' names.
_MOUNT_OPTIONS: Final = frozenset({"rw", "ro", "relatime", "noatime", "nosuid", "nodev", "noexec"})
# cgroup v1 writes "no limit" as a number above this.
_UNLIMITED: Final = 1 << 60


@dataclass(frozen=True, slots=True)
class Features:
    """The kernel's cgroup features: ``version`` is 2 for the unified hierarchy, else 1.


    ``hierarchies`` maps a v1 controller to its mount point, and ``""`` to v2's if mounted.
    """

    version: int = 2
    hierarchies: Mapping[str, Path] = field(default_factory=dict)
    swap_limit: bool = True
    block_io_weight: bool = True
    freezer: bool = True


@dataclass(frozen=True, slots=True)
class Usage:
    """A group's current usage: bytes, nanoseconds of CPU, processes; a limit of 0 means none."""

    memory_bytes: int = 0
    memory_limit_bytes: int = 0
    cpu_nanoseconds: int = 0
    pids: int = 0
    pids_limit: int = 0


def detect(mounts: Path = Path("/proc/self/mounts")) -> Features:
    """Detect the mounted controllers and their features from the mount table."""
    hierarchies: dict[str, Path] = {}
    for line in mounts.read_text(encoding="utf-8").splitlines():
        _, place, kind, options, *_ = line.split(" ")
        if kind == "cgroup2":
            hierarchies.setdefault("", Path(place))
        elif kind == "cgroup":
            for option in set(options.split(",")) - _MOUNT_OPTIONS:
                hierarchies.setdefault(option.removeprefix("name="), Path(place))
    if "memory" not in hierarchies and "pids" not in hierarchies and "" in hierarchies:
        return Features(2, {"": hierarchies[""]})
    return Features(
        version=1,
        hierarchies=hierarchies,
        swap_limit=_has(hierarchies, "memory", "memory.memsw.limit_in_bytes"),
        block_io_weight=_has(hierarchies, "blkio", "blkio.weight")
        or _has(hierarchies, "blkio", "blkio.bfq.weight"),
        freezer="freezer" in hierarchies,
    )


def move(pid: int, group: str, features: Features) -> None:
    """Move a process into a group, created if missing, in every writable hierarchy.

    In the group of the daemon's service it would be killed when the service stops.
    """
    for place in _cgroup_roots(features):
        directory = place / group.lstrip("/")
        # A controller may not be delegated to us; use the others.
        with suppress(OSError):
            try:
                _add_process(directory, pid)
            except FileNotFoundError:
                directory.mkdir(parents=True, exist_ok=True)
                _add_process(directory, pid)


def remove(group: str, features: Features) -> None:
    """Remove a group if it exists and has no processes."""
    for place in _cgroup_roots(features):
        with suppress(OSError):
            (place / group.lstrip("/")).rmdir()


def usage(group: str, features: Features) -> Usage:
    """Read the group's usage; 0 for values that are not accounted, or a missing group."""
    relative = group.lstrip("/")
    if features.version == 2:
        directory = features.hierarchies.get("", ROOT) / relative
        memory = _read_number(directory / "memory.current")
        cache = _read_keyed(directory / "memory.stat").get("inactive_file", 0)
        return Usage(
            memory_bytes=max(memory - cache, 0),
            memory_limit_bytes=_read_number(directory / "memory.max"),
            cpu_nanoseconds=_read_keyed(directory / "cpu.stat").get("usage_usec", 0) * 1000,
            pids=_read_number(directory / "pids.current"),
            pids_limit=_read_number(directory / "pids.max"),
        )
    of = {name: place / relative for name, place in features.hierarchies.items()}
    memory_group = of.get("memory", ROOT)
    memory = _read_number(memory_group / "memory.usage_in_bytes")
    cache = _read_keyed(memory_group / "memory.stat").get("total_inactive_file", 0)
    return Usage(
        memory_bytes=max(memory - cache, 0),
        memory_limit_bytes=_read_number(memory_group / "memory.limit_in_bytes"),
        cpu_nanoseconds=_read_number(of.get("cpuacct", ROOT) / "cpuacct.usage"),
        pids=_read_number(of.get("pids", ROOT) / "pids.current"),
        pids_limit=_read_number(of.get("pids", ROOT) / "pids.max"),
    )


def oom_kills(group: str, features: Features) -> int:
    """The number of OOM kills in this group."""
    if features.version == 2:
        directory, name = features.hierarchies.get("", ROOT), "memory.events"
    else:
        directory, name = features.hierarchies.get("memory", ROOT), "memory.oom_control"
    return _read_keyed(directory / group.lstrip("/") / name).get("oom_kill", 0)


def _add_process(directory: Path, pid: int) -> None:
    with open(directory / "cgroup.procs", "wb", buffering=0) as file:
        file.write(b"%d" % pid)


def _cgroup_roots(features: Features) -> tuple[Path, ...]:
    # A new v1 cpuset accepts no process until its CPUs are set, and is not needed here.
    chosen = (place for name, place in features.hierarchies.items() if name != "cpuset")
    return tuple(dict.fromkeys(chosen))


def _has(hierarchies: Mapping[str, Path], controller: str, name: str) -> bool:
    return controller in hierarchies and (hierarchies[controller] / name).exists()


def _read_number(file: Path) -> int:
    """Read a number from a file; 0 for a missing file or no limit."""
    try:
        text = file.read_text(encoding="ascii").strip()
    except OSError:
        return 0
    value = int(text) if text.isdigit() else 0
    return 0 if value >= _UNLIMITED else value


def _read_keyed(file: Path) -> dict[str, int]:
    """Read a file of ``name number`` lines."""
    try:
        lines = file.read_text(encoding="ascii").splitlines()
    except OSError:
        return {}
    pairs = (line.split() for line in lines)
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}
