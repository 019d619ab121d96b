"""Host: the limits and features of this machine; read once, so that building a spec stays pure."""

import os
import platform
import re
import resource
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from oci.descriptor import Platform
from runner.linux.cgroups import Features, detect
from runner.runtime.oci_spec.capabilities import ALL
from runner.runtime.oci_spec.seccomp import default_profile

_APPARMOR_PROFILES: Final = Path("/sys/kernel/security/apparmor/profiles")
_LIST: Final = re.compile(r"[0-9]{1,5}(-[0-9]{1,5})?(,[0-9]{1,5}(-[0-9]{1,5})?)*", re.ASCII)
_CPUS: Final = Path("/sys/devices/system/cpu/online")
_NODES: Final = Path("/sys/devices/system/node/online")
_INITS: Final = ("/usr/bin/tini-static", "/usr/bin/catatonit", "/usr/libexec/catatonit/catatonit")


@dataclass(frozen=True, slots=True)
class Host:
    """``hard_limits`` by setrlimit(2) name without RLIMIT_, -1 for none; ``kernel`` as (6, 18).

    ``lowest_oom_score`` is the lowest oom_score_adj that a child of ours may have.
    ``online_cpus`` and ``memory_nodes`` are the numbers valid in a cpuset.
    """

    architecture: str = "amd64"
    kernel: tuple[int, int] = (5, 10)
    cpus: int = 1
    online_cpus: frozenset[int] = frozenset({0})
    memory_nodes: frozenset[int] = frozenset({0})
    cgroups: Features = field(default_factory=Features)
    capabilities: frozenset[str] = frozenset(ALL)
    hard_limits: Mapping[str, int] = field(default_factory=dict)
    apparmor_profiles: frozenset[str] = frozenset()
    lowest_oom_score: int = -1000
    init: str = ""
    seccomp_profile: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def detect(cls) -> Self:
        available = _capabilities()
        unlimited = "CAP_SYS_RESOURCE" in available
        score = int(Path("/proc/self/oom_score_adj").read_text(encoding="ascii"))
        return cls(
            architecture=Platform.host().architecture,
            kernel=_kernel(),
            cpus=os.cpu_count() or 1,
            online_cpus=_online(_CPUS, os.cpu_count() or 1),
            # A kernel without NUMA has one node and no such file.
            memory_nodes=_online(_NODES, 1),
            cgroups=detect(),
            capabilities=available,
            hard_limits={} if unlimited else _hard_limits(),
            apparmor_profiles=_apparmor_profiles(),
            lowest_oom_score=-1000 if unlimited else score,
            init=next((path for path in _INITS if os.access(path, os.X_OK)), ""),
            seccomp_profile=default_profile(),
        )


def parse_list(text: str) -> frozenset[int]:
    """The numbers of a kernel list such as ``0-3,5``; ValueError for anything else.

    https://docs.kernel.org/admin-guide/cpu-lists.html
    """
    if not _LIST.fullmatch(text):
        raise ValueError(f"expected numbers and ranges such as 0-3,5, found {text!r}")
    numbers: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        numbers.update(range(int(first), int(last or first) + 1))
    return frozenset(numbers)


def _online(file: Path, count: int) -> frozenset[int]:
    try:
        return parse_list(file.read_text(encoding="ascii").strip())
    except (OSError, ValueError):
        return frozenset(range(count))


def _kernel() -> tuple[int, int]:
    major, minor, *_ = platform.release().split("-")[0].split(".")
    return int(major), int(minor)


def _hard_limits() -> dict[str, int]:
    names = [name for name in dir(resource) if name.startswith("RLIMIT_")]
    return {
        name.removeprefix("RLIMIT_"): resource.getrlimit(getattr(resource, name))[1]
        for name in names
    }


def _capabilities() -> frozenset[str]:
    """This process's bounding set."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("CapBnd:"):
            bits = int(line.split()[1], 16)
            return frozenset(name for n, name in enumerate(ALL) if bits >> n & 1)
    return frozenset()


def _apparmor_profiles() -> frozenset[str]:
    try:
        lines = _APPARMOR_PROFILES.read_text(encoding="utf-8").splitlines()
    except OSError:
        return frozenset()
    return frozenset(line.rsplit(" (", 1)[0] for line in lines)
