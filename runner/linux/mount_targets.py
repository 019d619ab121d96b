"""Mount targets inside an untrusted root, resolved and pinned by descriptors.

Each component is one openat2(2) below its open parent directory: no path is resolved twice, so
renames in between change nothing.  Earlier mounts below the root are visible, as to the
container.
"""

import errno
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from runner.linux.openat2 import (
    RESOLVE_BENEATH,
    RESOLVE_NO_MAGICLINKS,
    RESOLVE_NO_SYMLINKS,
    open_in_root,
)

_ONE_STEP: Final = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS
_MAX_LINKS: Final = 40


@dataclass(frozen=True, slots=True)
class MountTarget:
    """``descriptor`` is the caller's to close; ``path`` is absolute, as seen from the root.
    ``created`` is true if the target did not exist before.
    """

    descriptor: int
    path: str
    created: bool


def open_target(root: int, path: str, *, directory: bool) -> MountTarget:
    """Open a mount target; created if missing, with its parents, owned by root, 0755 or 0644.

    Symlinks are followed inside the root, dangling ones too.  Raises OSError: ELOOP for a loop
    of symlinks, NotADirectoryError or IsADirectoryError for the wrong kind of target.
    """
    walk = _Walk(root, path, directory)
    try:
        while walk.ahead:
            walk.step(walk.ahead.pop())
        is_directory = stat.S_ISDIR(os.stat(walk.opened[-1]).st_mode)
        if is_directory != directory:
            kind = IsADirectoryError if is_directory else NotADirectoryError
            raise kind("a directory goes onto a directory, and a file onto a file")
        return MountTarget(walk.opened.pop(), "/" + "/".join(walk.names), walk.created)
    finally:
        walk.close()


class _Walk:
    """The directories opened so far, from the root, and their names below it."""

    def __init__(self, root: int, path: str, directory: bool) -> None:
        self.ahead = path.split("/")[::-1]
        self.names: list[str] = []
        self.opened = [os.dup(root)]
        self.created = False
        self._directory = directory
        self._links = 0

    def close(self) -> None:
        while self.opened:
            os.close(self.opened.pop())

    def step(self, name: str) -> None:
        if name in ("", "."):
            return
        if name == "..":
            self._up(len(self.names) - 1)
            return
        opened = self._open(name)
        if stat.S_ISLNK(os.stat(opened).st_mode):
            try:
                self._follow(os.readlink("", dir_fd=opened))
            finally:
                os.close(opened)
            return
        self.opened.append(opened)
        self.names.append(name)

    def _open(self, name: str) -> int:
        above = self.opened[-1]
        flags = os.O_PATH | os.O_NOFOLLOW
        with suppress(FileNotFoundError):
            self.created = False
            return open_in_root(above, name, flags, resolve=_ONE_STEP)
        last = not any(part not in ("", ".") for part in self.ahead)
        mode = 0o755
        if self._directory or not last:
            os.mkdir(name, mode, dir_fd=above)
        else:
            mode = 0o644
            os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode, dir_fd=above))
        self.created = True
        opened = open_in_root(above, name, flags, resolve=_ONE_STEP)
        # Regardless of the umask.
        os.chmod(f"/proc/self/fd/{opened}", mode)
        return opened

    def _follow(self, link: str) -> None:
        self._links += 1
        if self._links > _MAX_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), link)
        if link.startswith("/"):
            self._up(0)
        self.ahead += link.split("/")[::-1]

    def _up(self, depth: int) -> None:
        """Close all directories deeper than ``depth`` below the root."""
        while len(self.names) > max(depth, 0):
            self.names.pop()
            os.close(self.opened.pop())
