"""Bind mounts by descriptors (open_tree, move_mount), so that no path is resolved twice.

https://man7.org/linux/man-pages/man2/open_tree.2.html and move_mount.2, mount_setattr.2
"""

import ctypes
import errno
import os
from dataclasses import dataclass
from typing import Any, Final

from runner.linux.mounts import mount_at, propagation_flags
from runner.linux.syscalls import check, libc

# The same numbers on every architecture: 5.2 and later, the third 5.12 and later.
_SYS_OPEN_TREE: Final = 428
_SYS_MOVE_MOUNT: Final = 429
_SYS_MOUNT_SETATTR: Final = 442

_AT_FDCWD: Final = -100
_AT_EMPTY_PATH: Final = 0x1000
_AT_RECURSIVE: Final = 0x8000
_OPEN_TREE_CLONE: Final = 0x1
_MOVE_MOUNT_BOTH_EMPTY: Final = 0x4 | 0x40
_MOUNT_ATTR_RDONLY: Final = 0x1
_MS_RDONLY: Final = 0x1
_MS_REMOUNT_BIND: Final = 0x20 | 0x1000
# nosuid, nodev, noexec: statvfs(3) and mount(2) have the same bits, and a remount clears them.
_MS_KEPT: Final = 0x2 | 0x4 | 0x8


class _MountAttr(ctypes.Structure):
    _fields_ = (
        ("attr_set", ctypes.c_uint64),
        ("attr_clr", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    )


# By index: a separate object, without the argument types set for openat2(2).
_syscall = libc["syscall"]
_syscall.restype = ctypes.c_long


@dataclass(frozen=True, slots=True)
class Bind:
    """A bind mount.

    ``propagation`` is an option of mount(8): ``rprivate``, ``rslave``, …  ``deep_read_only``
    makes the mounts below the source read-only too, if the kernel can (5.12 and later).
    """

    source: str
    recursive: bool = True
    read_only: bool = False
    deep_read_only: bool = False
    propagation: str = "rprivate"


def bind(wanted: Bind, target: int) -> None:
    """Bind-mount onto the file open as ``target``; OSError as from mount(2)."""
    flags = _OPEN_TREE_CLONE | os.O_CLOEXEC | (_AT_RECURSIVE if wanted.recursive else 0)
    source = os.fsencode(wanted.source)
    tree = check(_call(_SYS_OPEN_TREE, _AT_FDCWD, source, flags), source)
    try:
        _move(tree, target)
        if wanted.read_only:
            _make_read_only(tree, deep=wanted.deep_read_only)
        mount_at(tree, "none", "", propagation_flags(wanted.propagation))
    finally:
        os.close(tree)


def _move(tree: int, target: int) -> None:
    check(_call(_SYS_MOVE_MOUNT, tree, b"", target, b"", _MOVE_MOUNT_BOTH_EMPTY))


def _make_read_only(tree: int, *, deep: bool) -> None:
    wanted = _MountAttr(_MOUNT_ATTR_RDONLY, 0, 0, 0)
    flags = _AT_EMPTY_PATH | (_AT_RECURSIVE if deep else 0)
    try:
        size = ctypes.sizeof(wanted)
        check(_call(_SYS_MOUNT_SETATTR, tree, b"", flags, ctypes.byref(wanted), size))
    except OSError as error:
        if error.errno != errno.ENOSYS:
            raise
        kept = os.fstatvfs(tree).f_flag & _MS_KEPT
        mount_at(tree, "none", "", _MS_REMOUNT_BIND | _MS_RDONLY | kept)


def _call(number: int, *arguments: Any) -> int:
    # Pass every integer as a full register.
    wide = (ctypes.c_long(one) if isinstance(one, int) else one for one in arguments)
    return int(_syscall(ctypes.c_long(number), *wide))
