"""Stacks: the lower directories that show an image's layers one upon the other.

A layer's place in the stack matters, and its diff ID is not its place: the same layer may
come twice, and what completes it (see ``adjust``) depends on what is beneath each time.
"""

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from oci.digest import Digest
from oci.layer import InvalidLayer
from runner.linux.mounts import MAX_LOWER
from runner.storage.layers.store import Layer
from runner.storage.snapshots.fixups import lower_with_fixups, publish_once
from runner.storage.snapshots.flatten import flatten
from runner.storage.snapshots.snapshotter import LayerSource
from runner.tasks.threads import in_thread

# What overlayfs stacks at most (OVL_MAX_STACK), and containers/storage as well.
MAX_LAYERS = 500
# One of the mount's is the snapshot's own.
_MAX_DIRECTORIES = MAX_LOWER - 1


async def lower_directories(layers: LayerSource, diff_ids: Sequence[Digest]) -> tuple[Path, ...]:
    """The directories to mount for these layers, named lowest first; the topmost comes first.

    At most ``MAX_LOWER - 1``, each once.  What has to be made for them is made now, and kept
    with the layers.  Raises LayerUnknown, and InvalidLayer for more than ``MAX_LAYERS`` and for
    layers that do not fit each other: a hard link to a file that no layer beneath has.
    """
    check_count(len(diff_ids))
    lower: tuple[Path, ...] = ()
    owners: dict[Path, Digest] = {}
    for count, diff_id in enumerate(diff_ids, start=1):
        layer = layers.layer(diff_id)
        directory = await layers.directory(diff_id)
        if layer.opaque_root:
            # overlayfs does not ask the root itself whether it is opaque.
            lower = ()
        beneath = len(lower)
        lower = await _stacked(layers, layer, directory, lower, diff_ids[: count - 1])
        owners |= dict.fromkeys(lower[: len(lower) - beneath], diff_id)
    # A layer hides itself further down: each of its names shows what the upper one has there,
    # and overlayfs refuses a directory that is there twice.
    lower = tuple(dict.fromkeys(lower))
    if len(lower) <= _MAX_DIRECTORIES:
        return lower
    kept, lowest = lower[: _MAX_DIRECTORIES - 1], lower[_MAX_DIRECTORIES - 1 :]
    place = layers.fixups(owners[lowest[0]]) / f"flat-{_key(lowest)}"
    await in_thread(publish_once, place, partial(flatten, lowest))
    return (*kept, place)


def check_count(layers: int) -> None:
    """Refuse an image of more layers than can be stacked, before any of them is fetched."""
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
            f"layer {layer.diff_id}: hard link {path!r} points to {target!r} beneath nothing"
        )
    return (directory, *lower)


def _key(directories: Sequence[Path]) -> str:
    """A name for what these show: their own names say what is in them."""
    names = "\n".join("/".join(path.parts[-4:]) for path in directories)
    return hashlib.sha256(names.encode()).hexdigest()
