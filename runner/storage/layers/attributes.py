"""What a directory of a layer gets once all below it is in place: owner, mode, xattrs, times."""

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
# What the kernel's own time can hold, far beyond any filesystem's.
_MAX_TIME_NS: Final = (1 << 40) * 10**9


@dataclass(frozen=True, slots=True)
class Attributes:
    """One directory's, as its entry gave them."""

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
        """Set them at ``path`` below ``root``, unless a later entry took its place.

        Owner before mode, because chown takes set-id bits away; times last.
        """
        with opened(root, path) as descriptor:
            if descriptor is not None:
                os.fchown(descriptor, self.uid, self.gid)
                os.fchmod(descriptor, self.mode)
                set_xattrs(descriptor, self.xattrs)
                os.utime(descriptor, ns=self.times)


def with_owner(member: Member, unknown: tuple[int, int]) -> Member:
    """The member, with the IDs ``unknown`` where it has -1, which chown(2) leaves unchanged.

    Raises InvalidLayer for what is no ID.
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
    """What was made at ``path``, or None where a later entry took its place."""
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
