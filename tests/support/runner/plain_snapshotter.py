"""PlainSnapshotter: a Snapshotter of directories that are copies, as containerd's native one.

    <root>/<key>/base            the layers, extracted one onto the other
    <root>/<key>/tree            a copy of that, to be changed
    <root>/<key>/snapshot.json   the layers' diff IDs, and whether it may be changed

Nobody has to be root.  It passes tests/runner/storage/snapshots/test_contract.py.
"""

import json
import os
import shutil
import stat
from collections.abc import Sequence
from pathlib import Path

from oci.digest import Digest
from runner.linux.mounts import Mount
from runner.storage.files.copies import copy_attributes
from runner.storage.files.deletion import remove
from runner.storage.files.walk import is_whiteout, walk
from runner.storage.files.xattrs import is_opaque
from runner.storage.layers.contract import LayerSource
from runner.storage.snapshots.contract import (
    SnapshotExists,
    SnapshotUnknown,
    check_key,
)


class PlainSnapshotter:
    """Snapshots as copies; as slow as that is."""

    def __init__(self, root: Path, layers: LayerSource) -> None:
        self._root = root
        self._layers = layers
        root.mkdir(parents=True, exist_ok=True)

    async def prepare(self, key: str, parents: Sequence[Digest]) -> tuple[Mount, ...]:
        return await self._make(key, parents, "rw")

    async def view(self, key: str, parents: Sequence[Digest]) -> tuple[Mount, ...]:
        return await self._make(key, parents, "ro")

    async def mounts(self, key: str) -> tuple[Mount, ...]:
        _, mode = self._read(key)
        return (Mount("", str(self._place(key) / "tree"), ("bind", mode)),)

    async def parents(self, key: str) -> tuple[Digest, ...]:
        parents, _ = self._read(key)
        return parents

    async def changes(self, key: str) -> Path:
        self._read(key)
        place = self._place(key)
        changes = place / "changes"
        remove(changes)
        changes.mkdir()
        _write_changes(place / "base", place / "tree", changes)
        return changes

    async def remove(self, key: str) -> None:
        remove(self._place(key))

    async def keys(self) -> tuple[str, ...]:
        return tuple(name for name in os.listdir(self._root) if not name.startswith("."))

    async def _make(self, key: str, parents: Sequence[Digest], mode: str) -> tuple[Mount, ...]:
        if self._place(key).exists():
            raise SnapshotExists(key)
        aside = self._root / f".{key}"
        remove(aside)
        (aside / "base").mkdir(parents=True)
        try:
            for diff_id in parents:
                directory = await self._layers.directory(diff_id)
                _extract(directory, aside / "base")
                if "" not in self._layers.layer(diff_id).implicit:
                    copy_attributes(directory, directory.stat(), aside / "base")
        except BaseException:
            remove(aside)
            raise
        _copy(aside / "base", aside / "tree")
        document = {"parents": [str(parent) for parent in parents], "mode": mode}
        (aside / "snapshot.json").write_text(json.dumps(document))
        os.rename(aside, self._place(key))
        return await self.mounts(key)

    def _read(self, key: str) -> tuple[tuple[Digest, ...], str]:
        try:
            document = json.loads((self._place(key) / "snapshot.json").read_bytes())
        except FileNotFoundError:
            raise SnapshotUnknown(key) from None
        return tuple(map(Digest.parse, document["parents"])), document["mode"]

    def _place(self, key: str) -> Path:
        return self._root / check_key(key)


def _extract(layer: Path, tree: Path) -> None:
    """Put a layer, whiteouts in overlayfs form, onto what is there."""
    for entry in walk(layer):
        path = tree / os.fsdecode(entry.path)
        is_directory = stat.S_ISDIR(entry.stat.st_mode)
        merges = is_directory and _is_directory(path) and not is_opaque(entry.reachable)
        if not merges:
            _remove(path)
        if is_directory:
            path.mkdir(exist_ok=True)
        elif not is_whiteout(entry.stat):
            shutil.copy2(entry.reachable, path, follow_symlinks=False)


def _write_changes(base: Path, tree: Path, changes: Path) -> None:
    """Changes that make a tree of its base: files whole, and a whiteout for each that is gone."""
    for name in sorted({*os.listdir(base), *os.listdir(tree)}):
        old, new, place = base / name, tree / name, changes / name
        if not os.path.lexists(new):
            os.mknod(place, stat.S_IFCHR, os.makedev(0, 0))
        elif _is_directory(new) and _is_directory(old):
            place.mkdir()
            _write_changes(old, new, place)
            if not os.listdir(place):
                place.rmdir()
        elif _is_directory(new):
            _copy(new, place)
        elif not _is_same(old, new):
            shutil.copy2(new, place, follow_symlinks=False)


def _is_same(old: Path, new: Path) -> bool:
    if old.is_symlink() or new.is_symlink():
        return old.is_symlink() and new.is_symlink() and os.readlink(old) == os.readlink(new)
    return old.is_file() and old.stat().st_mtime_ns == new.stat().st_mtime_ns


def _remove(path: Path) -> None:
    if _is_directory(path):
        remove(path)
    else:
        path.unlink(missing_ok=True)


def _is_directory(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _copy(source: Path, place: Path) -> None:
    shutil.copytree(source, place, symlinks=True)
    copy_attributes(source, source.stat(), place)
