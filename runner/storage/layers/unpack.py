"""Layer → directory: applies a changeset by descriptors, one small function per entry type.

https://github.com/opencontainers/image-spec/blob/main/layer.md

Whiteouts take overlayfs's form: a character device 0:0, an opaque directory's xattr.  Not by
``tarfile``: its filters drop ownership and devices, and were bypassed five times
(CVE-2025-4517 and others).
"""

import errno
import os
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from oci.errors import quoted
from oci.layer import MAX_PATH, WHITEOUT_PREFIX, EntryKind, EntryName, InvalidLayer
from runner.storage.files.xattrs import admitted, overlay_opaque, set_xattrs
from runner.storage.layers.attributes import Attributes, opened, times, with_owner
from runner.storage.layers.tree import AUFS_LINKS, BelowWhiteout, Directory, Tree, components
from runner.storage.tar import reader
from runner.storage.tar.reader import Member, TarReader

_CREATE: Final = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_PREFIX: Final = WHITEOUT_PREFIX.encode()
_MAX_MAJOR: Final = (1 << 12) - 1
_MAX_MINOR: Final = (1 << 20) - 1
_SPECIAL: Final = {b"", b".", b".."}
_SETID: Final = stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX
_ARCHIVE_ERRORS: Final = {
    errno.ENAMETOOLONG,
    errno.EINVAL,
    errno.EISDIR,
    errno.ELOOP,
    errno.EMLINK,
    errno.ENOTDIR,
    errno.ERANGE,
    errno.E2BIG,
}


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a layer, far above real ones."""

    members: int = 1_000_000
    total_bytes: int = 1 << 40
    file_bytes: int = 1 << 38
    # Largest ratio of uncompressed to compressed size, for large layers: against zip bombs.
    ratio: int = 200
    ratio_from_bytes: int = 1 << 30


@dataclass(frozen=True, slots=True)
class Unpacked:
    """The result of unpacking a layer, with entries that depend on lower layers.

    ``implicit`` are directories without an entry of their own, which take the attributes of
    the lower directory, if there is one.  ``links`` are hard links whose target is not in this
    layer.  Paths are below the root, without a leading slash; "" is the root itself.
    """

    members: int
    total_bytes: int
    implicit: tuple[bytes, ...]
    links: tuple[tuple[bytes, bytes], ...]
    opaque_root: bool
    skipped_devices: int


def unpack(chunks: Iterable[bytes], root: int, limits: Limits | None = None) -> Unpacked:
    """Apply a layer, given uncompressed in chunks, to the empty directory open at ``root``.

    Raises InvalidLayer naming the invalid entry; the caller removes the files written so far.
    All chunks are consumed, even those after the archive's end.
    """
    unpacker = Unpacker(root, limits or Limits())
    try:
        return unpacker.run(TarReader(chunks))
    finally:
        unpacker.tree.close()


class Unpacker:
    """Unpacks one layer into one directory."""

    def __init__(self, root: int, limits: Limits) -> None:
        self.tree = Tree(root, limits.members)
        self._limits = limits
        self._root = root
        self._members = 0
        self._bytes = 0
        self._skipped_devices = 0
        self._links: dict[bytes, bytes] = {}
        self._directories: dict[bytes, Attributes] = {}
        self._owner = os.geteuid(), os.getegid()
        self._umask = os.umask(0)
        os.umask(self._umask)

    def run(self, archive: TarReader) -> Unpacked:
        for found in archive:
            self._count(found)
            member = with_owner(found, self._owner)
            try:
                self._apply(member, archive)
            except OSError as error:
                if error.errno in _ARCHIVE_ERRORS:
                    raise InvalidLayer(f"entry {_shown(member)}: {error.strerror}") from None
                raise
        self._finish()
        return Unpacked(
            self._members,
            self._bytes,
            tuple(sorted(self.tree.implicit)),
            tuple(sorted(self._links.items())),
            b"" in self.tree.opaque,
            self._skipped_devices,
        )

    def _count(self, member: Member) -> None:
        self._members += 1
        self._bytes += member.file_size
        limits = self._limits
        if member.file_size > limits.file_bytes:
            raise InvalidLayer(
                f"entry {_shown(member)} has {member.file_size} bytes, "
                f"at most {limits.file_bytes} are unpacked"
            )
        if self._members > limits.members or self._bytes > limits.total_bytes:
            raise InvalidLayer(
                f"layer has {self._members} entries of {self._bytes} bytes or more, "
                f"at most {limits.members} of {limits.total_bytes} are unpacked"
            )

    def _apply(self, member: Member, archive: TarReader) -> None:
        """Resolve the entry's directory, then create the entry by its type."""
        create = _ENTRIES.get(member.type)
        if create is None:
            raise InvalidLayer(f"entry {_shown(member)} has unknown type {member.type!r}")
        parent, _, name = member.name.rstrip(b"/").rpartition(b"/")
        if name in _SPECIAL or len(member.name) > MAX_PATH or b"\0" in member.name:
            parts = components(member.name)
            if not parts:
                self._apply_root(member)
                return
            parent, name = b"/".join(parts[:-1]), parts[-1]
        if _PREFIX in member.name:
            self._apply_marked(member, archive, create)
        else:
            create(self, member, archive, self.tree.parent(parent), name)

    def _apply_root(self, member: Member) -> None:
        if not member.name:
            raise InvalidLayer("an entry has no name")
        if member.type != reader.DIRECTORY:
            raise InvalidLayer(f"entry {_shown(member)} would replace the root directory")
        self._directories[b""] = Attributes.of(member)

    def _apply_marked(self, member: Member, archive: TarReader, create: "_Create") -> None:
        """Apply an entry with ``.wh.`` in its name: a whiteout, or an ordinary name."""
        entry = EntryName.parse(os.fsdecode(member.name))
        parts = tuple(os.fsencode(part) for part in entry.parts)
        if entry.kind is EntryKind.IGNORED:
            # AUFS keeps hard-linked files in a directory of its own, first in its layers.
            if member.type == reader.REGULAR and parts[0] == AUFS_LINKS and len(parts) == 2:
                self.create_regular(member, archive, self.tree.aufs_links(), parts[1])
            return
        if entry.kind is EntryKind.ADDED:
            create(self, member, archive, self.tree.parent(b"/".join(parts[:-1])), parts[-1])
            return
        # The name alone makes a whiteout: AUFS wrote hard links, others directories.
        try:
            if entry.kind is EntryKind.OPAQUE:
                self._make_opaque(parts)
            else:
                self._make_whiteout(parts)
        except BelowWhiteout:
            pass  # below a removed directory everything is removed

    def _make_opaque(self, parts: tuple[bytes, ...]) -> None:
        directory = self.tree.strict_parent(parts)
        os.close(directory.descriptor)
        self.tree.opaque.add(directory.path)

    def _make_whiteout(self, parts: tuple[bytes, ...]) -> None:
        parent = self.tree.strict_parent(parts[:-1])
        name, path = parts[-1], parent.child(parts[-1])
        try:
            os.mknod(name, stat.S_IFCHR, os.makedev(0, 0), dir_fd=parent.descriptor)
            self.tree.whiteouts.add(path)
        except FileExistsError:
            # A whiteout hides files of lower layers, never those of its own.
            found = os.stat(name, dir_fd=parent.descriptor, follow_symlinks=False)
            if stat.S_ISDIR(found.st_mode):
                self.tree.opaque.add(path)
        finally:
            os.close(parent.descriptor)

    def create_regular(
        self, member: Member, archive: TarReader, parent: Directory, name: bytes
    ) -> None:
        """Create a file; a small one of root's takes four system calls."""
        mode = member.mode & 0o7777
        descriptor = self._open_new(parent, name, mode & 0o777)
        try:
            if member.sparse is None:
                for piece in archive.content():
                    written = os.write(descriptor, piece)
                    while written < len(piece):
                        written += os.write(descriptor, piece[written:])
            else:
                _write_sparse(descriptor, member, archive)
            # Owner, mode, xattrs, in this order: chown clears set-id bits and capabilities.
            if (member.uid, member.gid) != self._owner:
                os.fchown(descriptor, member.uid, member.gid)
            if mode & (_SETID | self._umask):
                os.fchmod(descriptor, mode)
            if member.xattrs:
                set_xattrs(descriptor, admitted(member.xattrs))
            os.utime(descriptor, ns=times(member))
        finally:
            os.close(descriptor)

    def create_directory(
        self, member: Member, archive: TarReader, parent: Directory, name: bytes
    ) -> None:
        path = parent.child(name)
        self.tree.make(parent, name)
        self.tree.implicit.discard(path)
        self._directories[path] = Attributes.of(member)

    def create_symlink(
        self, member: Member, archive: TarReader, parent: Directory, name: bytes
    ) -> None:
        if not member.linkname or b"\0" in member.linkname:
            raise InvalidLayer(f"symlink {_shown(member)} points to {member.linkname[:80]!r}")
        try:
            os.symlink(member.linkname, name, dir_fd=parent.descriptor)
        except FileExistsError:
            self.tree.clear(parent, name)
            os.symlink(member.linkname, name, dir_fd=parent.descriptor)
        self._own(member, parent, name)

    def create_hard_link(
        self, member: Member, archive: TarReader, parent: Directory, name: bytes
    ) -> None:
        """Create a hard link; one to a file of a lower layer is recorded in ``links``."""
        if AUFS_LINKS in member.linkname:
            self._link_kept_aside(member, parent, name)
            return
        *above, target = components(member.linkname) or (b"",)
        if not target:
            raise InvalidLayer(f"hard link {_shown(member)} points to the root directory")
        path = parent.child(name)
        source = self.tree.lookup(tuple(above))
        try:
            if source is None or not _exists(source, target):
                if _exists(parent, name):
                    self.tree.clear(parent, name)
                self._links[path] = b"/".join((*above, target))
            elif source.child(target) in self.tree.whiteouts:
                raise InvalidLayer(f"hard link {_shown(member)} points to what its layer removes")
            elif source.child(target) != path:
                self._link(member, source, target, parent, name)
        finally:
            if source is not None:
                os.close(source.descriptor)

    def _link_kept_aside(self, member: Member, parent: Directory, name: bytes) -> None:
        target = member.linkname.strip(b"/").removeprefix(b"./").removeprefix(AUFS_LINKS + b"/")
        source = self.tree.aufs_links()
        if target in _SPECIAL or b"/" in target or not _exists(source, target):
            raise InvalidLayer(
                f"hard link {_shown(member)} points to {quoted(os.fsdecode(member.linkname))}, "
                "which its layer does not have"
            )
        self._link(member, source, target, parent, name)

    def _link(
        self, member: Member, source: Directory, target: bytes, parent: Directory, name: bytes
    ) -> None:
        found = os.stat(target, dir_fd=source.descriptor, follow_symlinks=False)
        if stat.S_ISDIR(found.st_mode):
            raise InvalidLayer(f"hard link {_shown(member)} points to a directory")
        if _exists(parent, name):
            self.tree.clear(parent, name)
        # Not followed: a hard link to a symlink links the symlink itself.
        os.link(
            target,
            name,
            src_dir_fd=source.descriptor,
            dst_dir_fd=parent.descriptor,
            follow_symlinks=False,
        )

    def create_node(
        self, member: Member, archive: TarReader, parent: Directory, name: bytes
    ) -> None:
        """A device or a FIFO."""
        kind = _NODES[member.type]
        if kind == stat.S_IFCHR and member.device == (0, 0):
            raise InvalidLayer(f"entry {_shown(member)} is device 0:0, which overlayfs hides")
        major, minor = member.device if kind != stat.S_IFIFO else (0, 0)
        if major > _MAX_MAJOR or minor > _MAX_MINOR:
            raise InvalidLayer(
                f"entry {_shown(member)} is device {major}:{minor}, which Linux does not have"
            )
        device = os.makedev(major, minor)
        try:
            os.mknod(name, kind | 0o600, device, dir_fd=parent.descriptor)
        except FileExistsError:
            self.tree.clear(parent, name)
            os.mknod(name, kind | 0o600, device, dir_fd=parent.descriptor)
        except PermissionError:
            # No CAP_MKNOD in the initial user namespace; containers have their own /dev anyway.
            self._skipped_devices += 1
            return
        self._own(member, parent, name)

    def _open_new(self, parent: Directory, name: bytes, mode: int) -> int:
        try:
            return os.open(name, _CREATE, mode, dir_fd=parent.descriptor)
        except FileExistsError:
            self.tree.clear(parent, name)
            return os.open(name, _CREATE, mode, dir_fd=parent.descriptor)

    def _own(self, member: Member, parent: Directory, name: bytes) -> None:
        place = parent.descriptor
        if (member.uid, member.gid) != self._owner:
            os.chown(name, member.uid, member.gid, dir_fd=place, follow_symlinks=False)
        if member.type in _NODES:
            os.chmod(name, member.mode & 0o7777, dir_fd=place)
        os.utime(name, ns=times(member), dir_fd=place, follow_symlinks=False)

    def _finish(self) -> None:
        """Apply what later entries decide: attributes of directories, and whiteouts."""
        self.tree.remove_aufs_links()
        for path, attributes in sorted(self._directories.items(), reverse=True):
            attributes.apply(self._root, path)
        for path in self.tree.opaque - {b""}:
            with opened(self._root, path) as descriptor:
                if descriptor is not None:
                    set_xattrs(descriptor, {overlay_opaque(): b"y"})
        for path in list(self._links):
            with opened(self._root, path, os.O_PATH | os.O_NOFOLLOW) as descriptor:
                if descriptor is not None:
                    del self._links[path]
        if b"" not in self._directories:
            self.tree.implicit.add(b"")


def _write_sparse(descriptor: int, member: Member, archive: TarReader) -> None:
    for offset, pieces in archive.fragments(member):
        at = offset
        for piece in pieces:
            rest = piece
            while rest:
                written = os.pwrite(descriptor, rest, at)
                at += written
                rest = rest[written:]
    os.ftruncate(descriptor, member.file_size)


def _exists(parent: Directory, name: bytes) -> bool:
    try:
        os.stat(name, dir_fd=parent.descriptor, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _shown(member: Member) -> str:
    return quoted(os.fsdecode(member.name))


_NODES: Final = MappingProxyType(
    {
        reader.CHARACTER_DEVICE: stat.S_IFCHR,
        reader.BLOCK_DEVICE: stat.S_IFBLK,
        reader.FIFO: stat.S_IFIFO,
    }
)

_Create = Callable[[Unpacker, Member, TarReader, Directory, bytes], None]

# In the spec's order of file types; there are no sockets in a tar archive.
_ENTRIES: Final[Mapping[bytes, _Create]] = MappingProxyType(
    {
        reader.REGULAR: Unpacker.create_regular,
        reader.DIRECTORY: Unpacker.create_directory,
        reader.SYMLINK: Unpacker.create_symlink,
        reader.BLOCK_DEVICE: Unpacker.create_node,
        reader.CHARACTER_DEVICE: Unpacker.create_node,
        reader.FIFO: Unpacker.create_node,
        reader.HARD_LINK: Unpacker.create_hard_link,
    }
)
