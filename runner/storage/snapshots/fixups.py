"""Fixups of layers that depend on the layers below them.

A layer with ``usr/local/x`` but no entry for ``usr`` is unpacked with an implicit ``usr/``.
Stacked, its attributes hide those of the lower ``usr/``; and if the lower one is a symlink, as
``lib`` is since Debian merged it into ``usr``, it hides even that.  A hard link may point to a
file of a lower layer.  Unpacking onto one growing tree, as docker does, gets this right; layers
unpacked in parallel need a correction.

So a *fixup* is stacked above such a layer: one more lower directory, with the directories' true
attributes, the symlinks, and the linked files.  It is needed seldom, computed once per stack,
and stored beside its layer.

https://github.com/opencontainers/image-spec/blob/main/layer.md#applying-changesets
https://docs.kernel.org/filesystems/overlayfs.html#directories
"""

import errno
import os
import stat
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from oci.digest import Digest, chain_id
from oci.layer import InvalidLayer
from runner.storage.files.copies import copy_attributes, link_or_copy, set_directory_xattrs
from runner.storage.files.deletion import remove
from runner.storage.files.walk import is_whiteout, walk
from runner.storage.files.xattrs import file_xattrs, is_opaque, overlay_opaque
from runner.storage.layers.contract import Layer

_MAX_SYMLINKS: Final = 40
# Errors of rename(2) onto an existing directory, empty or not.
_EXISTS: Final = frozenset({errno.EEXIST, errno.ENOTEMPTY})


@dataclass(frozen=True, slots=True)
class _Found:
    """The topmost file of a stack at a path."""

    path: Path
    stat: os.stat_result


def lower_with_fixups(
    layer: Layer,
    directory: Path,
    lower: tuple[Path, ...],
    fixups: Path,
    beneath: Sequence[Digest],
) -> tuple[Path, ...]:
    """The stack with this layer on top, and its fixup above it if it needs one.

    ``lower`` are the directories below, topmost first; ``beneath`` their diff IDs, lowest first.
    Raises InvalidLayer for a hard link to a file that no layer has.
    """
    place = fixups / chain_id(beneath).encoded
    publish_once(place, lambda temporary: LayerFixup(layer, directory, lower, temporary).make())
    stack = (directory, *lower)
    return (place, *stack) if any(place.iterdir()) else stack


def publish_once(place: Path, fill: Callable[[Path], None]) -> None:
    """Create a directory at ``place`` atomically, filled by ``fill``, unless it exists.

    Blocking; of two concurrent calls the second to finish discards its own.
    """
    if place.exists():
        return
    temporary = place.with_name(f".{uuid.uuid4().hex}")
    try:
        temporary.mkdir(parents=True)
        fill(temporary)
        os.rename(temporary, place)
    except BaseException as error:
        remove(temporary)
        # Another call has published the same directory.
        if not isinstance(error, OSError) or error.errno not in _EXISTS or not place.exists():
            raise


class LayerFixup:
    """Builds one fixup in the directory ``temporary``."""

    def __init__(
        self, layer: Layer, directory: Path, lower: tuple[Path, ...], temporary: Path
    ) -> None:
        self._layer = layer
        self._directory = directory
        self._lower = lower
        self._aside = temporary
        self._implicit = set(layer.implicit)

    def make(self) -> None:
        for path in self._layer.implicit:
            beneath = _find(self._lower, path) if path else None
            if beneath is None:
                continue
            if stat.S_ISLNK(beneath.stat.st_mode):
                self._follow_symlink(path, beneath)
            elif stat.S_ISDIR(beneath.stat.st_mode):
                own = _find((self._directory,), path)
                if own is not None and _attributes(own) != _attributes(beneath):
                    self._make_directory(path)
        for path, target in self._layer.links:
            self._link(path, target)

    def _make_directory(self, path: str) -> Path:
        """Create the directory and its parents with the attributes of the whole stack.

        A symlink on the way, also one placed by this fixup, is followed inside the stack: this
        host has something else where it points.
        """
        walked = ""
        for part in path.split("/"):
            walked = self._inside(f"{walked}/{part}".lstrip("/"))
            self._make_one_directory(walked)
        return self._aside / walked

    def _inside(self, path: str) -> str:
        stack = (self._aside, *self._lower)
        found = _find(stack, path)
        if found is None or not stat.S_ISLNK(found.stat.st_mode):
            return path
        target = _resolve(stack, path)
        if target is None:
            raise InvalidLayer(f"layer has files below {path!r}, beneath it a symlink to nowhere")
        if above := target.rpartition("/")[0]:
            self._make_directory(above)
        return target

    def _make_one_directory(self, path: str) -> None:
        """Make it where its parents are made already, none of them a symlink."""
        place = self._aside / path
        try:
            if not stat.S_ISDIR(place.lstat().st_mode):
                raise InvalidLayer(f"layer has files below {path!r}, which is no directory")
        except FileNotFoundError:
            place.mkdir()
            source = self._true_directory(path)
            if source is not None:
                _copy_attributes(source, place)

    def _true_directory(self, path: str) -> _Found | None:
        """The source of a directory's attributes: the layer's own entry, else the stack below."""
        own = _find((self._directory,), path)
        if own is not None and path not in self._implicit:
            return own
        return _find(self._lower, path) or own

    def _follow_symlink(self, path: str, link: _Found) -> None:
        """Keep the lower symlink, and place the files below it at its target."""
        target = _resolve(self._lower, path)
        if target is None:
            raise InvalidLayer(f"layer has files below {path!r}, beneath it a symlink to nowhere")
        self._place(path, link.path)
        for entry in walk(self._directory / path):
            relative = os.fsdecode(entry.path)
            destination = f"{target}/{relative}"
            if not stat.S_ISDIR(entry.stat.st_mode):
                self._place(destination, self._directory / path / relative)
                continue
            place = self._make_directory(destination)
            if f"{path}/{relative}" not in self._implicit:
                _copy_attributes(_Found(self._directory / path / relative, entry.stat), place)
            if is_opaque(entry.reachable):
                _make_opaque(place)

    def _link(self, path: str, target: str) -> None:
        above, _, name = target.rpartition("/")
        reached = _resolve(self._lower, above) if above else ""
        found = None if reached is None else _find(self._lower, f"{reached}/{name}".lstrip("/"))
        if found is None or stat.S_ISDIR(found.stat.st_mode):
            raise InvalidLayer(f"hard link {path!r} points to {target!r}, which no layer has")
        self._place(path, found.path)

    def _place(self, path: str, source: Path) -> None:
        """Hard-link a file into the fixup: safe, since layers are immutable."""
        above, _, name = path.rpartition("/")
        place = (self._make_directory(above) if above else self._aside) / name
        if os.path.lexists(place):
            if stat.S_ISDIR(place.lstat().st_mode):
                raise InvalidLayer(f"layer has a file at {path!r}, which is a directory")
            # By another way to the same place: one of them has to be the last.
            place.unlink()
        link_or_copy(source, place)


def _find(stack: Sequence[Path], path: str) -> _Found | None:
    """Find the file that overlayfs would show at the path, without following symlinks."""
    directories = list(stack)
    found: _Found | None = None
    for part in path.split("/"):
        found, directories = _look(directories, part)
        if found is None:
            return None
    return found


def _look(directories: Sequence[Path], part: str) -> tuple[_Found | None, list[Path]]:
    """Look up a name in merged directories: the visible file, and the directories it merges."""
    merged: list[Path] = []
    top: _Found | None = None
    for directory in directories:
        path = directory / part
        try:
            found = path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        if is_whiteout(found) or (top is not None and not stat.S_ISDIR(found.st_mode)):
            break
        top = top or _Found(path, found)
        if not stat.S_ISDIR(found.st_mode):
            break
        merged.append(path)
        if is_opaque(str(path)):
            break
    return top, merged


def _resolve(stack: Sequence[Path], path: str) -> str | None:
    """Resolve a directory's path inside the stack, following symlinks."""
    pending = path.split("/")[::-1]
    reached: list[str] = []
    followed = 0
    while pending:
        part = pending.pop()
        if part in {"", "."}:
            continue
        if part == "..":
            del reached[-1:]
            continue
        found = _find(stack, "/".join((*reached, part)))
        if found is None:
            return None
        if stat.S_ISLNK(found.stat.st_mode):
            followed += 1
            if followed > _MAX_SYMLINKS:
                return None
            target = os.readlink(found.path)
            if target.startswith("/"):
                reached.clear()
            pending += target.split("/")[::-1]
        elif stat.S_ISDIR(found.stat.st_mode):
            reached.append(part)
        else:
            return None
    return "/".join(reached)


def _attributes(found: _Found) -> tuple[object, ...]:
    status = found.stat
    return status.st_mode, status.st_uid, status.st_gid, file_xattrs(str(found.path))


def _copy_attributes(source: _Found, place: Path) -> None:
    copy_attributes(source.path, source.stat, place)


def _make_opaque(place: Path) -> None:
    set_directory_xattrs(place, {overlay_opaque(): b"y"})
