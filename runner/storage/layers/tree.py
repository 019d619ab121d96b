"""Tree: the directory a layer is unpacked into, accessed by descriptors from its root.

No other process writes to the tree, so the only hazard is the archive's own symlinks in place of
directories.

https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts
"""

import errno
import os
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from oci.layer import EntryKind, EntryName, InvalidLayer
from runner.linux.openat2 import NO_SYMLINKS, open_in_root
from runner.storage.files.deletion import remove_tree

AUFS_LINKS: Final = b".wh..wh.plnk"
_OPEN_DIRECTORIES: Final = 256
# The spec allows no duplicates; each costs a scan of all known directories.
_MAX_REPLACED: Final = 1000
_DIRECTORY: Final = os.O_PATH | os.O_DIRECTORY
_NEW_DIRECTORY: Final = _DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Private while unpacking; the entries' modes are set at the end.
_UNFINISHED_MODE: Final = 0o700
_IMPLICIT_MODE: Final = 0o755


class BelowWhiteout(Exception):
    """A parent of the path is a whiteout of this layer."""


@dataclass(frozen=True, slots=True)
class Directory:
    """An open directory and its path below the root, without symlinks; b"" is the root."""

    descriptor: int
    path: bytes

    def child(self, name: bytes) -> bytes:
        return self.path + b"/" + name if self.path else name


@dataclass(slots=True)
class Tree:
    """Directories under ``root`` by an archive's names, opened once, created if missing."""

    root: int
    member_limit: int
    implicit: set[bytes] = field(default_factory=set)
    whiteouts: set[bytes] = field(default_factory=set)
    opaque: set[bytes] = field(default_factory=set)
    made: int = 0
    replaced: int = 0
    _open: dict[bytes, Directory] = field(default_factory=dict)
    _stale: list[int] = field(default_factory=list)
    _aufs_links: Directory | None = None

    def parent(self, name: bytes) -> Directory:
        """Open a directory by an archive's name, creating missing ones.

        Symlinks are followed inside the root, as by a chrooted tar; InvalidLayer if a file is in
        the path.  Valid until the next call.
        """
        found = self._open.get(name)
        if found is None:
            self._close_stale()
            found = self._open[name] = self._reach(components(name))
            if len(self._open) > _OPEN_DIRECTORIES:
                self._evict_open()
        return found

    def strict_parent(self, parts: tuple[bytes, ...]) -> Directory:
        """Open the directory of a whiteout: InvalidLayer for a symlink, BelowWhiteout below one.

        A symlink's target may be in lower layers, which are not available here.
        """
        return self._reach(parts, strict=True)

    def lookup(self, parts: tuple[bytes, ...]) -> Directory | None:
        """Open an existing directory, the caller's to close; None if it is missing."""
        path = b"/".join(parts)
        try:
            descriptor = open_in_root(self.root, path, _DIRECTORY)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _refused(path, error) from None
        return Directory(descriptor, self._path_of(descriptor))

    def make(self, parent: Directory, name: bytes, mode: int = _UNFINISHED_MODE) -> bool:
        """Create one directory, replacing any other file; False if it exists."""
        path = parent.child(name)
        try:
            os.mkdir(name, mode, dir_fd=parent.descriptor)
        except FileExistsError:
            found = os.stat(name, dir_fd=parent.descriptor, follow_symlinks=False)
            if stat.S_ISDIR(found.st_mode):
                return False
            os.unlink(name, dir_fd=parent.descriptor)
            os.mkdir(name, mode, dir_fd=parent.descriptor)
            self._evict_open()
            if path in self.whiteouts:
                # Removed, then created again: the lower directory must stay hidden.
                self.whiteouts.discard(path)
                self.opaque.add(path)
        return True

    def clear(self, parent: Directory, name: bytes) -> None:
        """Remove an earlier entry, so that a later one can replace it."""
        found = os.stat(name, dir_fd=parent.descriptor, follow_symlinks=False)
        path = parent.child(name)
        if stat.S_ISDIR(found.st_mode):
            self.replaced += 1
            if self.replaced > _MAX_REPLACED:
                raise InvalidLayer(f"layer replaces more than {_MAX_REPLACED} of its directories")
            remove_tree(parent.descriptor, name)
            self._discard_below(path)
        else:
            os.unlink(name, dir_fd=parent.descriptor)
            self.whiteouts.discard(path)
        self._evict_open()

    def aufs_links(self) -> Directory:
        """AUFS's directory of hard-linked files, which no regular entry can name."""
        if self._aufs_links is None:
            with suppress(FileExistsError):
                os.mkdir(AUFS_LINKS, _UNFINISHED_MODE, dir_fd=self.root)
            descriptor = os.open(AUFS_LINKS, _NEW_DIRECTORY, dir_fd=self.root)
            self._aufs_links = Directory(descriptor, AUFS_LINKS)
        return self._aufs_links

    def remove_aufs_links(self) -> None:
        """Remove AUFS's directory; its files keep the names given by entries."""
        if self._aufs_links is not None:
            remove_tree(self.root, AUFS_LINKS)

    def close(self) -> None:
        if self._aufs_links is not None:
            os.close(self._aufs_links.descriptor)
            self._aufs_links = None
        self._evict_open()
        self._close_stale()

    def _reach(self, parts: tuple[bytes, ...], *, strict: bool = False) -> Directory:
        path = b"/".join(parts)
        try:
            return Directory(open_in_root(self.root, path, _DIRECTORY, resolve=NO_SYMLINKS), path)
        except OSError as error:
            if error.errno not in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}:
                raise _refused(path, error) from None
        current = Directory(open_in_root(self.root, b".", _DIRECTORY), b"")
        for part in parts:
            above = current
            try:
                current = self._step(above, part, strict=strict)
            except OSError as error:
                raise _refused(path, error) from None
            finally:
                os.close(above.descriptor)
        return current

    def _step(self, parent: Directory, part: bytes, *, strict: bool) -> Directory:
        path = parent.child(part)
        try:
            return Directory(os.open(part, _NEW_DIRECTORY, dir_fd=parent.descriptor), path)
        except FileNotFoundError:
            pass
        except NotADirectoryError:
            found = os.stat(part, dir_fd=parent.descriptor, follow_symlinks=False)
            if stat.S_ISLNK(found.st_mode):
                return self._follow(path, strict=strict)
            if path not in self.whiteouts:
                raise
            if strict:
                raise BelowWhiteout from None
        self._count()
        self.make(parent, part, _IMPLICIT_MODE)
        self.implicit.add(path)
        return Directory(os.open(part, _NEW_DIRECTORY, dir_fd=parent.descriptor), path)

    def _follow(self, path: bytes, *, strict: bool) -> Directory:
        if strict:
            raise InvalidLayer(f"whiteout crosses the symlink {os.fsdecode(path)!r}")
        descriptor = open_in_root(self.root, path, _DIRECTORY)
        return Directory(descriptor, self._path_of(descriptor))

    def _path_of(self, descriptor: int) -> bytes:
        root = os.readlink(f"/proc/self/fd/{self.root}")
        reached = os.readlink(f"/proc/self/fd/{descriptor}")
        return os.fsencode(reached[len(root) :].lstrip("/"))

    def _count(self) -> None:
        self.made += 1
        if self.made > self.member_limit:
            raise InvalidLayer(f"layer has more than {self.member_limit} implicit directories")

    def _evict_open(self) -> None:
        """Drop the cache of directories: a symlink on a path may have been removed."""
        # The caller may still use one of them until its next call.
        self._stale += [directory.descriptor for directory in self._open.values()]
        self._open.clear()

    def _close_stale(self) -> None:
        for descriptor in self._stale:
            os.close(descriptor)
        self._stale.clear()

    def _discard_below(self, path: bytes) -> None:
        below = path + b"/"
        for known in (self.implicit, self.whiteouts, self.opaque):
            known.difference_update(
                [entry for entry in known if entry == path or entry.startswith(below)]
            )


def components(name: bytes) -> tuple[bytes, ...]:
    """The parts of a name that is not a whiteout, or InvalidLayer."""
    entry = EntryName.parse(os.fsdecode(name))
    if entry.kind is not EntryKind.ADDED:
        raise InvalidLayer(f"entry {os.fsdecode(name)!r} lies below a whiteout")
    return tuple(os.fsencode(part) for part in entry.parts)


def _refused(path: bytes, error: OSError) -> Exception:
    """InvalidLayer for an error of the archive's; others, such as a full disk, unchanged."""
    if error.errno in {errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOENT, errno.EEXIST}:
        return InvalidLayer(f"{os.fsdecode(path)!r} cannot be a directory: {error.strerror}")
    return error
