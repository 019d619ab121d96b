"""Stack an image's layers as the lower directories of an overlay mount.

The same layer may occur twice in a stack, and its fixup (see ``fixups``) depends on the layers
below each occurrence.

https://docs.kernel.org/filesystems/overlayfs.html#multiple-lower-layers
"""

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from oci.digest import Digest
from oci.layer import InvalidLayer
from runner.linux.mounts import MAX_LOWER
from runner.storage.layers.contract import Layer, LayerSource
from runner.storage.snapshots.fixups import lower_with_fixups, publish_once
from runner.storage.snapshots.flatten import flatten
from runner.tasks.threads import in_thread

# overlayfs's limit (OVL_MAX_STACK), and that of containers/storage.
MAX_LAYERS = 500
# One is reserved for the snapshot's own directory.
_MAX_DIRECTORIES = MAX_LOWER - 1


async def lower_directories(layers: LayerSource, diff_ids: Sequence[Digest]) -> tuple[Path, ...]:
    """The lower directories, topmost first, for these layers, given lowest first.

    At most ``MAX_LOWER - 1``, each once.  Missing fixups and flattened directories are created,
    and stored with the layers.  Raises LayerUnknown, and InvalidLayer for more than ``MAX_LAYERS``
    and for a hard link to a file that no lower layer has.
    """
    check_count(len(diff_ids))
    lower: tuple[Path, ...] = ()
    owners: dict[Path, Digest] = {}
    for count, diff_id in enumerate(diff_ids, start=1):
        layer = layers.layer(diff_id)
        directory = await layers.directory(diff_id)
        if layer.opaque_root:
            # overlayfs ignores an opaque xattr on the root itself.
            lower = ()
        beneath = len(lower)
        lower = await _stacked(layers, layer, directory, lower, diff_ids[: count - 1])
        owners |= dict.fromkeys(lower[: len(lower) - beneath], diff_id)
    # A repeated layer is hidden by its upper occurrence, and overlayfs refuses a repeated
    # directory.
    lower = tuple(dict.fromkeys(lower))
    if len(lower) <= _MAX_DIRECTORIES:
        return lower
    kept, lowest = lower[: _MAX_DIRECTORIES - 1], lower[_MAX_DIRECTORIES - 1 :]
    place = layers.fixups(owners[lowest[0]]) / f"flat-{_key(lowest)}"
    await in_thread(publish_once, place, partial(flatten, lowest))
    return (*kept, place)


def check_count(layers: int) -> None:
    """Refuse an image with too many layers before fetching any."""
    if layers > MAX_LAYERS:
        raise InvalidLayer(f"image has {layers} layers, expected at most {MAX_LAYERS}")


async def _stacked(
    layers: LayerSource,
    layer: Layer,
    directory: Path,
    lower: tuple[Path, ...],
    beneath: Sequence[Digest],
) -> tuple[Path, ...]:
    if lower and (layer.links or any(layer.implicit)):
        place = layers.fixups(layer.diff_id)
        return await in_thread(lower_with_fixups, layer, directory, lower, place, beneath)
    if layer.links:
        path, target = layer.links[0]
        raise InvalidLayer(
            f"layer {layer.diff_id}: hard link {path!r} points to {target!r}, "
            "which no lower layer has"
        )
    return (directory, *lower)


def _key(directories: Sequence[Path]) -> str:
    """A key for the merge of these directories, from their names."""
    names = "\n".join("/".join(path.parts[-4:]) for path in directories)
    return hashlib.sha256(names.encode()).hexdigest()
