"""File system types: a root must be on one with reliable locks and syncs."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from registry.errors import StartupError

# statfs(2).  Network file systems may not honour SQLite's locks or our syncs.
NETWORK = {
    0x6969: "NFS",
    0x517B: "SMB",
    0xFE534D42: "SMB",
    0xFF534D42: "CIFS",
    0x01021997: "9P",
    0x5346414F: "AFS",
}

_libc = ctypes.CDLL(None, use_errno=True)


def type_of(directory: int) -> int:
    """The file system's magic number; 0 if unknown."""
    call = getattr(_libc, "fstatfs", None)
    if call is None or os.uname().sysname != "Linux":
        return 0
    # struct statfs begins with f_type, a long, and is smaller than 256 bytes everywhere.
    answer = (ctypes.c_ulong * 32)()
    if call(directory, ctypes.byref(answer)) != 0:
        return 0
    return int(answer[0]) & 0xFFFFFFFF


def is_read_only(path: Path) -> bool:
    """Whether the file system of a path takes no write; False where there is none."""
    try:
        return bool(os.statvfs(path).f_flag & os.ST_RDONLY)
    except OSError:
        return False


def check_local(directory: int) -> None:
    """Raise StartupError on a network file system, whose locks and syncs are unreliable."""
    found = NETWORK.get(type_of(directory))
    if found is not None:
        raise StartupError(
            f"the storage root is on {found}, which does not promise what a registry needs of a "
            "disk: use a local one, or set storage.any_filesystem if you know better"
        )
