"""Control groups, v1 and v2: detect features, move processes.

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


def detect(mounts: Path = Path("/proc/self/mounts")) -> Features:
    """Detect the mounted controllers and their features from the mount table."""
    hierarchies: dict[str, Path] = {}
    # Not splitlines: the kernel escapes no line ends but its own, and no name need be UTF-8.
    for line in mounts.read_text(encoding="utf-8", errors="surrogateescape").split("\n"):
        _, place, kind, options, *_ = (*line.split(" "), "", "", "", "")
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


def _add_process(directory: Path, pid: int) -> None:
    with open(directory / "cgroup.procs", "wb", buffering=0) as file:
        file.write(b"%d" % pid)


def _cgroup_roots(features: Features) -> tuple[Path, ...]:
    # A new v1 cpuset accepts no process until its CPUs are set, and is not needed here.
    chosen = (place for name, place in features.hierarchies.items() if name != "cpuset")
    return tuple(dict.fromkeys(chosen))


def _has(hierarchies: Mapping[str, Path], controller: str, name: str) -> bool:
    return controller in hierarchies and (hierarchies[controller] / name).exists()
