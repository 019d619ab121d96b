"""Mount, passed from storage to the runtime; mount(2) and umount2(2) by ctypes.

https://man7.org/linux/man-pages/man2/mount.2.html
"""

import ctypes
import errno
import os
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from runner.linux.syscalls import check, libc

MNT_DETACH: Final = 2
_UMOUNT_NOFOLLOW: Final = 8
# mount(2) copies one page of options, its last byte NUL.
OPTIONS_BYTES: Final = 4095
# moby's limit (maxDepth); as descriptors, so many layers still fit in one page of options.
MAX_LOWER: Final = 128

# Options that are flags of mount(2), with the bits they set and clear; the rest is data.
_FLAGS: Final = {
    "ro": (0x1, 0), "rw": (0, 0x1),
    "nosuid": (0x2, 0), "suid": (0, 0x2),
    "nodev": (0x4, 0), "dev": (0, 0x4),
    "noexec": (0x8, 0), "exec": (0, 0x8),
    "remount": (0x20, 0),
    "noatime": (0x400, 0), "atime": (0, 0x400),
    "nodiratime": (0x800, 0),
    "bind": (0x1000, 0), "rbind": (0x5000, 0),
    "private": (0x40000, 0), "rprivate": (0x44000, 0),
    "slave": (0x80000, 0), "rslave": (0x84000, 0),
    "shared": (0x100000, 0), "rshared": (0x104000, 0),
    "relatime": (0x200000, 0),
    "strictatime": (0x1000000, 0),
    "sync": (0x10, 0), "async": (0, 0x10),
    "dirsync": (0x80, 0), "diratime": (0, 0x800),
    "norelatime": (0, 0x200000), "nostrictatime": (0, 0x1000000),
    "lazytime": (0x2000000, 0), "nolazytime": (0, 0x2000000),
    "defaults": (0, 0),
}  # fmt: skip
_BIND: Final = 0x1000
_REMOUNT: Final = 0x20
_PROPAGATION: Final = 0x40000 | 0x80000 | 0x100000
_RESTRICTIONS: Final = 0x1 | 0x2 | 0x4 | 0x8 | 0x400 | 0x800

_mount = libc.mount
_mount.argtypes = (
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.c_ulong,
    ctypes.c_char_p,
)
_umount2 = libc.umount2
_umount2.argtypes = (ctypes.c_char_p, ctypes.c_int)


@dataclass(frozen=True, slots=True)
class Mount:
    """One mount; ``target`` is relative to the mount's base, "" for the base itself.

    ``lower`` holds the layers of an overlay in overlayfs order, topmost first; as a tuple it
    needs no escaping of colons and no limit on its length.
    """

    type: str
    source: str
    options: tuple[str, ...] = ()
    target: str = ""
    lower: tuple[str, ...] = ()


def mount(wanted: Mount, place: Path) -> None:
    """Mount at ``place`` joined with the mount's target, which must exist."""
    at = place / wanted.target if wanted.target else place
    flags, rest = _split(wanted.options)
    with ExitStack() as held:
        if wanted.lower:
            rest = (*rest, _lower_option(wanted.lower, rest, held))
        options = ",".join(rest)
        if len(os.fsencode(options)) > OPTIONS_BYTES:
            raise ValueError(f"mount options exceed {OPTIONS_BYTES} bytes: {options[:80]}…")
        _call(wanted.source, at, wanted.type, flags & ~_PROPAGATION, options)
    # The kernel ignores restrictions on a bind, and propagation needs its own call.
    if flags & _BIND and flags & _RESTRICTIONS:
        _call(wanted.source, at, wanted.type, flags & ~_PROPAGATION | 0x20, options)
    if flags & _PROPAGATION:
        _call("none", at, "", flags & (_PROPAGATION | 0x4000), "")


def mount_on(wanted: Mount, target: int) -> None:
    """Mount a new file system onto the file open as ``target``: no path is resolved."""
    flags, rest = _split(wanted.options)
    if flags & (_BIND | _PROPAGATION | _REMOUNT):
        raise ValueError(f"not options of a new file system: {','.join(wanted.options)}")
    mount_at(target, wanted.source, wanted.type, flags, ",".join(rest))


def mount_at(target: int, source: str, kind: str, flags: int, options: str = "") -> None:
    """mount(2) onto the file open as ``target``."""
    _call(source, Path(f"/proc/self/fd/{target}"), kind, flags, options)


def propagation_flags(word: str) -> int:
    """The flags of mount(2) for a propagation option."""
    return _FLAGS[word][0]


def unmount(place: Path, *, timeout_seconds: float = 0.1) -> None:
    """Unmount ``place``; no error if nothing is mounted there.

    A mount that stays busy is detached: it leaves the tree now, and the kernel frees it
    with its last user.
    """
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            check(_umount2(os.fsencode(place), _UMOUNT_NOFOLLOW), place)
        except OSError as error:
            if error.errno in {errno.EINVAL, errno.ENOENT}:
                return
            if error.errno != errno.EBUSY:
                raise
        else:
            return
        if time.monotonic() >= deadline:
            check(_umount2(os.fsencode(place), _UMOUNT_NOFOLLOW | MNT_DETACH), place)
            return
        time.sleep(0.01)


def _call(source: str, at: Path, kind: str, flags: int, options: str) -> None:
    encoded = os.fsencode(options) or None
    check(
        _mount(os.fsencode(source), os.fsencode(at), os.fsencode(kind) or None, flags, encoded), at
    )


def _split(options: tuple[str, ...]) -> tuple[int, tuple[str, ...]]:
    flags, rest = 0, []
    for option in options:
        if option in _FLAGS:
            on, off = _FLAGS[option]
            flags = (flags | on) & ~off
        elif option:
            rest.append(option)
    return flags, tuple(rest)


def _lower_option(lower: tuple[str, ...], others: tuple[str, ...], held: ExitStack) -> str:
    """The lowerdir option: paths, or open descriptors where paths are too long or need escaping.

    A descriptor's path has at most 19 bytes, so 128 layers always fit.  Paths are preferred
    for readers of /proc/mounts.
    """
    if len(lower) > MAX_LOWER:
        raise ValueError(f"{len(lower)} layers, and an overlay takes at most {MAX_LOWER}")
    plain = "lowerdir=" + ":".join(lower)
    length = len(os.fsencode(",".join((*others, plain))))
    if length <= OPTIONS_BYTES and not any(set(path) & set(":,\\") for path in lower):
        return plain
    opened = []
    for path in lower:
        descriptor = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        held.callback(os.close, descriptor)
        opened.append(f"/proc/self/fd/{descriptor}")
    return "lowerdir=" + ":".join(opened)
