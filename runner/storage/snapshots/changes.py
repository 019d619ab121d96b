"""Changes of a snapshot: the room that they take, and a layer made of them."""

from dataclasses import dataclass
from pathlib import Path

from oci.digest import Digest
from runner.storage.files.walk import walk
from runner.storage.layers.contract import LayerStore
from runner.storage.layers.diff import diff
from runner.storage.snapshots.contract import Snapshotter
from runner.tasks.threads import in_thread


@dataclass(frozen=True, slots=True)
class Usage:
    """Size of a snapshot's own changes: bytes on disk, and files of every kind."""

    bytes: int
    inodes: int


async def usage(snapshotter: Snapshotter, key: str) -> Usage:
    """Size of the changes on top of the layers.  Raises SnapshotUnknown."""
    return await in_thread(_usage, await snapshotter.changes(key))


async def commit(snapshotter: Snapshotter, layers: LayerStore, key: str) -> Digest:
    """Freeze what changed into a layer and end the snapshot; returns the layer's diff ID.

    The caller has unmounted it.  The layer's tar is whatever ``diff`` makes of it.
    """
    async with layers.writer(None, "none") as writer:
        async for chunk in diff(await snapshotter.changes(key)):
            await writer.write(chunk)
        layer = await writer.commit()
    await snapshotter.remove(key)
    return layer.diff_id


def _usage(changes: Path) -> Usage:
    size = inodes = 0
    for entry in walk(changes):
        size += entry.stat.st_blocks * 512
        inodes += 1
    return Usage(size, inodes)
