"""Open paths inside an untrusted directory without leaving it.

openat2(2) with RESOLVE_IN_ROOT treats the directory as ``/``: absolute symlinks and ``..``
stay inside, and magic links (``/proc/self/fd/N``) are refused.  One system call
has no race between check and open.
"""

import ctypes
import errno
import os
import stat
from typing import Final

from runner.linux.syscalls import check, libc

SYS_OPENAT2: Final = 437  # the same number on every architecture (5.6 and later)

RESOLVE_NO_XDEV: Final = 0x01
RESOLVE_NO_MAGICLINKS: Final = 0x02
RESOLVE_NO_SYMLINKS: Final = 0x04
RESOLVE_BENEATH: Final = 0x08
RESOLVE_IN_ROOT: Final = 0x10

IN_ROOT: Final = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS
NO_SYMLINKS: Final = IN_ROOT | RESOLVE_NO_SYMLINKS

# The kernel answers EAGAIN when a rename or mount elsewhere raced with "..".
_ATTEMPTS: Final = 128


class _OpenHow(ctypes.Structure):
    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


_syscall = libc.syscall
_syscall.restype = ctypes.c_long
_syscall.argtypes = (
    ctypes.c_long,
    ctypes.c_int,
    ctypes.c_char_p,
    ctypes.POINTER(_OpenHow),
    ctypes.c_size_t,
)
_HOW_BYTES: Final = ctypes.sizeof(_OpenHow)


def open_in_root(
    root: int, path: str | bytes, flags: int, mode: int = 0, *, resolve: int = IN_ROOT
) -> int:
    """A file descriptor for the path as a process chrooted to ``root`` would see it.

    ``root`` is a directory's descriptor.  The descriptor returned is the caller's to close,
    and is closed on exec.  Raises OSError as open(2) does; ELOOP for a symlink
    or magic link that ``resolve`` does not allow.
    """
    name = os.fsencode(path)
    if b"\0" in name:
        raise ValueError(f"path contains a NUL byte: {name!r}")
    how = _OpenHow(flags | os.O_CLOEXEC, mode, resolve)
    for _ in range(_ATTEMPTS):
        opened = int(_syscall(SYS_OPENAT2, root, name or b".", ctypes.byref(how), _HOW_BYTES))
        if opened >= 0 or ctypes.get_errno() not in {errno.EAGAIN, errno.EINTR}:
            break
    return check(opened, name)


def read_file(root: int, path: str | bytes, *, limit: int = 1 << 20) -> bytes:
    """The contents of a regular file inside ``root``; ValueError beyond ``limit`` bytes.

    Opened with O_NONBLOCK, so that a FIFO in its place cannot block.
    """
    opened = open_in_root(root, path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    with open(opened, "rb") as file:
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            raise ValueError(f"{os.fsdecode(path)} is not a regular file")
        content = file.read(limit + 1)
    if len(content) > limit:
        raise ValueError(f"{os.fsdecode(path)} is larger than {limit} bytes")
    return content
