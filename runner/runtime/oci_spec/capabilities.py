"""Capabilities: docker's default set, changed by ``--cap-add`` and ``--cap-drop``.

https://github.com/opencontainers/runtime-spec/blob/main/config.md#linux-process
"""

from collections.abc import Sequence
from typing import Final

from runner.errors import BadRequest

DEFAULT: Final = (
    "CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL",
    "CAP_MKNOD", "CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP",
    "CAP_SETUID", "CAP_SYS_CHROOT",
)  # fmt: skip

# In order of their numbers, from 0 (capabilities(7)).
ALL: Final = (
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL",
    "CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST", "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER",
    "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE", "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE", "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
)  # fmt: skip


def bounding_set(
    add: Sequence[str], drop: Sequence[str], available: frozenset[str]
) -> tuple[str, ...]:
    """The capabilities a container may have, sorted.

    Names may lack ``CAP_`` and have any case; ``ALL`` means all ``available`` ones, those of
    this process.  With ``--cap-drop ALL`` only added ones remain; one in both lists is
    dropped.  Raises BadRequest for a name unknown to the kernel, or an added one not available.
    """
    added, dropped = {_normalize(name) for name in add}, {_normalize(name) for name in drop}
    for name in sorted(added - available - {"ALL"}):
        raise BadRequest(f"capability {name} is not available: this daemon does not have it")
    if "ALL" in added:
        kept = set(available)
    elif "ALL" in dropped:
        kept = added
    else:
        kept = set(DEFAULT) & available | added
    return tuple(sorted(kept - dropped))


def process_sets(bounding: Sequence[str]) -> dict[str, list[str]]:
    """The five sets of the spec's ``process.capabilities``.

    Inheritable and ambient stay empty, so that a non-root process has none after its first
    exec (CVE-2022-24769).
    """
    kept = list(bounding)
    return {
        "bounding": kept, "effective": kept, "permitted": kept, "inheritable": [], "ambient": [],
    }  # fmt: skip


def _normalize(name: str) -> str:
    upper = name.upper()
    if upper == "ALL":
        return upper
    full = upper if upper.startswith("CAP_") else f"CAP_{upper}"
    if full not in ALL:
        raise BadRequest(f"invalid capability {name!r}: the kernel has no {full}")
    return full
