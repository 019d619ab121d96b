"""Checks at create of values that the kernel or the runtime would refuse at start.

https://docs.kernel.org/admin-guide/cgroup-v1/ and proc_pid_oom_score_adj(5).  Not done
when options are parsed: records of older versions must remain readable.
"""

import re
from typing import Final

from runner.errors import BadRequest
from runner.runtime.oci_spec.host import Host, parse_list
from runner.schema import ContainerOptions, MountOption

# Option, its name in the Engine API, minimum, maximum.
_RANGES: Final = (
    ("cpu_shares", "CpuShares", 2, 262_144),
    ("cpu_period", "CpuPeriod", 1_000, 1_000_000),
    ("blkio_weight", "BlkioWeight", 10, 1_000),
    ("oom_score_adj", "OomScoreAdj", -1_000, 1_000),
)
_LOWEST_QUOTA: Final = 1_000

# tmpfs(5); the flags are those of mount(8) allowed for a container's mount.
_TMPFS_FLAGS: Final = frozenset({
    "async", "atime", "defaults", "dev", "diratime", "dirsync", "exec", "noatime", "nodev",
    "nodiratime", "noexec", "norelatime", "nostrictatime", "nosuid", "relatime", "strictatime",
    "suid", "sync",
})  # fmt: skip
_SIZE: Final = re.compile(r"[0-9]{1,18}[kmgKMG]?|[0-9]{1,3}%", re.ASCII)
_COUNT: Final = re.compile(r"[0-9]{1,18}[kmgKMG]?", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]{1,9}", re.ASCII)
_MODE: Final = re.compile(r"[0-7]{1,4}", re.ASCII)
_TMPFS_VALUES: Final = {
    "size": _SIZE,
    "nr_blocks": _COUNT,
    "nr_inodes": _COUNT,
    "mode": _MODE,
    "uid": _NUMBER,
    "gid": _NUMBER,
}

# PATH_MAX and NAME_MAX, without the NUL of the first.
_MAX_PATH: Final = 4095
_MAX_NAME: Final = 255


def check_limits(options: ContainerOptions, host: Host) -> None:
    """BadRequest for the first value outside this host's range."""
    for name, key, lowest, highest in _RANGES:
        value = getattr(options, name)
        if value is not None and not lowest <= value <= highest:
            raise BadRequest(f"{key}: expected {lowest} to {highest}, found {value}")
    if options.cpu_quota is not None and 0 < options.cpu_quota < _LOWEST_QUOTA:
        raise BadRequest(f"CpuQuota: expected at least {_LOWEST_QUOTA}, found {options.cpu_quota}")
    _check_list("CpusetCpus", options.cpuset_cpus, host.online_cpus)
    _check_list("CpusetMems", options.cpuset_mems, host.memory_nodes)


def check_mounts(mounts: tuple[MountOption, ...]) -> None:
    """BadRequest for an invalid path, or an unknown tmpfs option."""
    for mount in mounts:
        for path in (mount.source, mount.target):
            _check_path(path)
        if mount.kind == "tmpfs":
            for option in mount.options:
                _check_tmpfs(mount.target, option)


def _check_list(key: str, text: str, present: frozenset[int]) -> None:
    if not text:
        return
    try:
        asked = parse_list(text)
    except ValueError as error:
        raise BadRequest(f"{key}: {error}") from None
    if not asked or not asked <= present:
        here = ",".join(map(str, sorted(present)))
        raise BadRequest(f"{key}: {text!r} is not available, expected some of {here}")


def _check_path(path: str) -> None:
    parts = path.encode().split(b"/")
    if "\0" in path or sum(map(len, parts)) + len(parts) - 1 > _MAX_PATH:
        raise BadRequest(f"invalid mount path {path[:60]!r}: too long, or with a NUL character")
    if max(map(len, parts)) > _MAX_NAME:
        problem = f"a name has more than {_MAX_NAME} bytes"
        raise BadRequest(f"invalid mount path {path[:60]!r}: {problem}")


def _check_tmpfs(target: str, option: str) -> None:
    key, equals, value = option.partition("=")
    pattern = _TMPFS_VALUES.get(key) if equals else None
    if option not in _TMPFS_FLAGS and not (pattern and pattern.fullmatch(value)):
        expected = f"{', '.join(f'{name}=' for name in _TMPFS_VALUES)} or a flag such as noexec"
        raise BadRequest(f"invalid tmpfs option {option!r} of {target}: expected {expected}")
