"""OverlaySnapshotter: snapshots by overlayfs, with layers as lower directories.

https://docs.kernel.org/filesystems/overlayfs.html

    snapshots/<key>/diff            the upper directory
    snapshots/<key>/work            overlayfs's own
    snapshots/<key>/snapshot.json   the lower layers, and whether it is writable

``index``, ``redirect_dir`` and ``metacopy`` stay off, so that the upper directory alone holds all
changes: renamed directories in full, copied-up files with their content.
"""

import json
import os
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from oci.digest import Digest
from runner.linux.mounts import Mount
from runner.storage.files.deletion import DeletionQueue, remove
from runner.storage.files.durable import spread_children
from runner.storage.layers.contract import LayerSource
from runner.storage.snapshots.contract import (
    SnapshotExists,
    SnapshotUnknown,
    check_key,
)
from runner.storage.snapshots.stack import lower_directories
from runner.tasks.threads import in_thread

_OPTIONS: Final = ("index=off", "redirect_dir=off", "metacopy=off")
_DEFAULT_ROOT_MODE: Final = 0o755


class OverlaySnapshotter:
    """A Snapshotter by overlayfs; all state is in the directories, none in memory."""

    def __init__(self, root: Path, layers: LayerSource) -> None:
        self._root = root
        self._layers = layers
        self._aside = root / ".aside"
        self._empty = root / ".empty"
        self.deletions = DeletionQueue()
        for directory in (self._aside, self._empty):
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._empty.chmod(_DEFAULT_ROOT_MODE)
        spread_children(self._aside)

    async def recover(self) -> None:
        """At the daemon's start: finish interrupted removals."""
        for path in await in_thread(os.listdir, self._aside):
            self.deletions.put(self._aside / path)

    async def prepare(self, key: str, parents: Sequence[Digest]) -> tuple[Mount, ...]:
        return await self._open(key, parents, read_only=False)

    async def view(self, key: str, parents: Sequence[Digest]) -> tuple[Mount, ...]:
        return await self._open(key, parents, read_only=True)

    async def mounts(self, key: str) -> tuple[Mount, ...]:
        parents, read_only = await in_thread(self._read, key)
        return self._mounts(key, await self._lower(parents), read_only=read_only)

    async def parents(self, key: str) -> tuple[Digest, ...]:
        parents, _ = await in_thread(self._read, key)
        return parents

    async def changes(self, key: str) -> Path:
        await in_thread(self._read, key)
        return self._place(key) / "diff"

    async def remove(self, key: str) -> None:
        await in_thread(self._remove, key)

    async def keys(self) -> tuple[str, ...]:
        return tuple(name for name in await in_thread(os.listdir, self._root) if name[0] != ".")

    async def _open(
        self, key: str, parents: Sequence[Digest], *, read_only: bool
    ) -> tuple[Mount, ...]:
        lower = await self._lower(parents)
        described = [parent for parent in parents if "" not in self._layers.layer(parent).implicit]
        # A mount shows the upper root's attributes, not the lower ones'.
        top = await self._layers.directory(described[-1]) if described else self._empty
        await in_thread(self._make, key, parents, top, read_only=read_only)
        return self._mounts(key, lower, read_only=read_only)

    async def _lower(self, parents: Sequence[Digest]) -> tuple[Path, ...]:
        """The lower directories, topmost first."""
        return await lower_directories(self._layers, parents) or (self._empty,)

    def _make(self, key: str, parents: Sequence[Digest], top: Path, *, read_only: bool) -> None:
        if self._place(key).exists():
            raise SnapshotExists(key)
        temporary = self._aside / uuid.uuid4().hex
        try:
            (temporary / "work").mkdir(parents=True)
            (temporary / "diff").mkdir()
            root = top.stat()
            os.chown(temporary / "diff", root.st_uid, root.st_gid)
            os.chmod(temporary / "diff", root.st_mode & 0o7777)
            document = {"parents": [str(parent) for parent in parents], "read_only": read_only}
            (temporary / "snapshot.json").write_text(json.dumps(document))
            os.rename(temporary, self._place(key))
        except BaseException:
            remove(temporary)
            raise

    def _remove(self, key: str) -> None:
        """Remove by one rename; the files are deleted in the background."""
        temporary = self._aside / uuid.uuid4().hex
        with suppress(FileNotFoundError):
            os.rename(self._place(key), temporary)
            self.deletions.put(temporary)

    def _read(self, key: str) -> tuple[tuple[Digest, ...], bool]:
        try:
            document = json.loads((self._place(key) / "snapshot.json").read_bytes())
        except FileNotFoundError:
            raise SnapshotUnknown(key) from None
        return tuple(Digest.parse(text) for text in document["parents"]), document["read_only"]

    def _mounts(self, key: str, lower: Sequence[Path], *, read_only: bool) -> tuple[Mount, ...]:
        stack = tuple(str(path) for path in lower)
        place = self._place(key)
        if not read_only:
            upper = (f"upperdir={place}/diff", f"workdir={place}/work")
            return (Mount("overlay", "overlay", (*upper, *_options()), lower=stack),)
        # The snapshot's own empty directory supplies the root's attributes.
        return (Mount("overlay", "overlay", ("ro", *_options()), lower=(f"{place}/diff", *stack)),)

    def _place(self, key: str) -> Path:
        return self._root / check_key(key)


def _options() -> tuple[str, ...]:
    return _OPTIONS if os.geteuid() == 0 else (*_OPTIONS, "userxattr")
