"""Walk an untrusted directory tree: parents first, in a stable order.

``os.walk`` recurses before 3.12, and a container can nest directories deeper than Python's
stack.  Here one descriptor is open at a time.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

_Named = tuple[bytes, os.stat_result]


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of any kind: its path below the root, and its directory's descriptor.

    ``directory`` is the directory that contains ``name``, open until the next iteration.
    """

    path: bytes
    name: bytes
    directory: int
    stat: os.stat_result

    @property
    def is_whiteout(self) -> bool:
        return is_whiteout(self.stat)

    @property
    def reachable(self) -> str:
        """A path to the file for calls without a descriptor variant; do not follow symlinks."""
        return f"/proc/self/fd/{self.directory}/{os.fsdecode(self.name)}"


def is_whiteout(found: os.stat_result) -> bool:
    """Whether it is an overlayfs whiteout: a character device 0:0."""
    return stat.S_ISCHR(found.st_mode) and found.st_rdev == 0


def walk(root: Path) -> Iterator[Entry]:
    """Yield everything below ``root``; in each directory whiteouts first, then by name."""
    current = os.open(root, _FLAGS)
    try:
        entered: list[bytes] = []
        pending = [_listed(current)]
        while pending:
            if not pending[-1]:
                pending.pop()
                if entered:
                    entered.pop()
                    current = _move(current, b"..")
                continue
            name, found = pending[-1].pop()
            yield Entry(b"/".join((*entered, name)), name, current, found)
            if stat.S_ISDIR(found.st_mode):
                current = _move(current, name)
                entered.append(name)
                pending.append(_listed(current))
    finally:
        os.close(current)


def _listed(directory: int) -> list[_Named]:
    """The directory's entries in reverse order."""
    names = (os.fsencode(name) for name in os.listdir(directory))
    listed = [(name, os.stat(name, dir_fd=directory, follow_symlinks=False)) for name in names]
    return sorted(listed, key=_order, reverse=True)


def _order(named: _Named) -> tuple[bool, bytes]:
    name, found = named
    return not is_whiteout(found), name


def _move(current: int, name: bytes) -> int:
    there = os.open(name, _FLAGS, dir_fd=current)
    os.close(current)
    return there
