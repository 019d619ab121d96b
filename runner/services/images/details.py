"""Image details: the values that list, inspect and history return.

Names are in docker's familiar form, without the default registry; sizes are in bytes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from oci.descriptor import Descriptor
from oci.digest import Digest
from oci.image_config import ImageConfig
from runner.services.images.image import CorruptImage, Image, ImageUser
from runner.services.images.search import familiar
from runner.services.images.store import ImageStore
from runner.storage.records.values import ImageRecord


@dataclass(frozen=True, slots=True)
class ImageSummary:
    """One image of a list; a corrupt one has only its ID and names, so that it can be removed.

    ``created`` is RFC 3339 as its config has it, and may be invalid; ``containers`` counts its
    users, running or not.
    """

    id: Digest
    tags: tuple[str, ...]
    digests: tuple[str, ...]
    containers: int
    created: str | None = None
    size: int = 0
    labels: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class ImageDetails:
    """One image with its config; ``tagged`` is the last time it got a tag, in Unix seconds."""

    id: Digest
    config: ImageConfig
    tags: tuple[str, ...]
    digests: tuple[str, ...]
    size: int
    tagged: float | None


@dataclass(frozen=True, slots=True)
class HistoryStep:
    """One step of an image's making, with the size of its layer; 0 if it made none.

    ``image_id`` and ``tags`` are those of the image, and stand on its newest step only.
    """

    created: str | None = None
    created_by: str = ""
    comment: str = ""
    size: int = 0
    image_id: Digest | None = None
    tags: tuple[str, ...] = ()


def summarize(
    store: ImageStore, image: Image | CorruptImage, users: Sequence[ImageUser]
) -> ImageSummary:
    """The summary of an image, or of a corrupt one."""
    tags, digests = _names(store, image.tags), _names(store, image.digests)
    containers = sum(user.image_id == image.id for user in users)
    if isinstance(image, CorruptImage):
        return ImageSummary(image.id, tags, digests, containers)
    config = image.config
    return ImageSummary(
        image.id, tags, digests, containers, config.created, total_size(store, image), config.labels
    )


def describe(store: ImageStore, image: Image) -> ImageDetails:
    """The details of an image."""
    tagged = [record.updated for record in image.tags]
    return ImageDetails(
        image.id,
        image.config,
        _names(store, image.tags),
        _names(store, image.digests),
        total_size(store, image),
        max(tagged, default=None),
    )


def history(store: ImageStore, image: Image) -> tuple[HistoryStep, ...]:
    """The steps that made the image, newest first."""
    sizes = iter([layer_size(store, *layer) for layer in image.layers])
    steps = [
        HistoryStep(
            step.created,
            step.created_by,
            step.comment,
            0 if step.empty_layer else next(sizes, 0),
        )
        for step in image.config.history
    ]
    # History is optional in a config: list the remaining layers without it.
    steps += [HistoryStep(size=size) for size in sizes]
    if steps:
        steps[-1] = replace(steps[-1], image_id=image.id, tags=_names(store, image.tags))
    return tuple(reversed(steps))


def layer_size(store: ImageStore, diff_id: Digest, blob: Descriptor) -> int:
    """The size in bytes of a layer's files; of its blob if it is not unpacked."""
    if store.layers.has(diff_id):
        return store.layers.layer(diff_id).total_bytes
    return blob.size


def total_size(store: ImageStore, image: Image) -> int:
    """The size in bytes of the image's layers, each once."""
    return sum(layer_size(store, diff_id, blob) for diff_id, blob in dict(image.layers).items())


def _names(store: ImageStore, records: Sequence[ImageRecord]) -> tuple[str, ...]:
    return tuple(familiar(store, record) for record in records)
