"""Attributes of layer entries: owner, mode, xattrs, times.

https://github.com/opencontainers/image-spec/blob/main/layer.md#file-attributes
"""

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final, Self

from oci.errors import quoted
from oci.layer import InvalidLayer
from runner.linux.openat2 import NO_SYMLINKS, open_in_root
from runner.storage.files.xattrs import admitted, set_xattrs
from runner.storage.tar.reader import Member

_MAX_ID: Final = 2**32 - 2  # the last one means "leave as it is"
_UNCHANGED: Final = frozenset({-1, 2**32 - 1})
# Within the kernel's range of times, and beyond any filesystem's.
_MAX_TIME_NS: Final = (1 << 40) * 10**9


@dataclass(frozen=True, slots=True)
class Attributes:
    """A directory's attributes from its entry, applied after its content."""

    mode: int
    uid: int
    gid: int
    times: tuple[int, int]
    xattrs: Mapping[str, bytes]

    @classmethod
    def of(cls, member: Member) -> Self:
        xattrs = admitted(member.xattrs)
        return cls(member.mode & 0o7777, member.uid, member.gid, times(member), xattrs)

    def apply(self, root: int, path: bytes) -> None:
        """Set them at ``path`` below ``root``, unless a later entry replaced the directory.

        Owner before mode, because chown clears set-id bits; times last.
        """
        with opened(root, path) as descriptor:
            if descriptor is not None:
                os.fchown(descriptor, self.uid, self.gid)
                os.fchmod(descriptor, self.mode)
                set_xattrs(descriptor, self.xattrs)
                os.utime(descriptor, ns=self.times)


def with_owner(member: Member, unknown: tuple[int, int]) -> Member:
    """The member, with the IDs of ``unknown`` in place of -1, which chown(2) would ignore.

    Raises InvalidLayer for an invalid ID.
    """
    if 0 <= member.uid <= _MAX_ID and 0 <= member.gid <= _MAX_ID:
        return member
    owner = [
        known if found in _UNCHANGED else found
        for found, known in zip((member.uid, member.gid), unknown, strict=True)
    ]
    if not all(0 <= number <= _MAX_ID for number in owner):
        raise InvalidLayer(
            f"entry {quoted(os.fsdecode(member.name))} belongs to {member.uid}:{member.gid}, "
            f"expected 0 to {_MAX_ID}"
        )
    return replace(member, uid=owner[0], gid=owner[1])


def times(member: Member) -> tuple[int, int]:
    """Access and modification time for utime(2), in nanoseconds."""
    mtime_ns = max(-_MAX_TIME_NS, min(member.mtime_ns, _MAX_TIME_NS))
    return mtime_ns, mtime_ns


@contextmanager
def opened(
    root: int, path: bytes, flags: int = os.O_RDONLY | os.O_DIRECTORY
) -> Iterator[int | None]:
    """Open the file created at ``path``; None if a later entry replaced it."""
    try:
        descriptor = open_in_root(root, path, flags, resolve=NO_SYMLINKS)
    except OSError as error:
        if error.errno not in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}:
            raise
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)
