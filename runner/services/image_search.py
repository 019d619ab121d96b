"""Which image a name means, and which images a filter lets through."""

import fnmatch
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from oci.descriptor import Platform
from oci.digest import Digest
from oci.errors import OCIError
from oci.reference import Reference
from runner.errors import BadRequest, Conflict, NoSuchImage
from runner.services.image_store import Image, ImageStore
from runner.storage.records import ImageRecord

FULL_ID = re.compile(r"(?:sha256:)?([0-9a-f]{64})", re.ASCII)
SHORT_ID = re.compile(r"(?:sha256:)?([0-9a-f]{1,64})", re.ASCII)


def find(store: ImageStore, name: str) -> Image:
    """The image a name means: 64 hex characters are an ID, then names, then the start of an ID."""
    if full := FULL_ID.fullmatch(name):
        image = store.image(Digest("sha256", full[1]))
    else:
        image = _named(store, name) or _by_short_id(store, name)
    if image is None:
        raise NoSuchImage(name)
    return image


def is_id(name: str, image: Image) -> bool:
    """Whether ``find`` understood the name as an ID of this image, and not as one of its names."""
    short = SHORT_ID.fullmatch(name)
    return short is not None and image.id.encoded.startswith(short[1])


def select(store: ImageStore, filters: Mapping[str, Sequence[str]]) -> list[Image]:
    """The images every filter lets through, newest first."""
    images = sorted(store.images(), key=created, reverse=True)
    for key, values in filters.items():
        if key not in FILTERS:
            raise BadRequest(f"invalid filter '{key}'")
        images = FILTERS[key](store, images, values)
    return images


def parse_platform(text: str | None) -> Platform | None:
    """Read ``os/architecture[/variant]``, or BadRequest; nothing asked for is None."""
    try:
        return Platform.parse(text) if text else None
    except OCIError as error:
        raise BadRequest(str(error)) from error


def created(image: Image) -> str:
    """When the image was made, to sort by: RFC 3339 in UTC sorts as text."""
    return image.config.created or ""


def _named(store: ImageStore, name: str) -> Image | None:
    try:
        reference = Reference.parse(name, default_host=store.default_registry)
    except OCIError:
        return None
    key = str(reference)
    if reference.digest is not None:
        # With both, the digest decides and the tag is only a note to the reader.
        key = f"{reference.host}/{reference.name}@{reference.digest}"
    record = store.records.images.get(key)
    return store.image(record.image_id) if record else None


def _by_short_id(store: ImageStore, name: str) -> Image | None:
    short = SHORT_ID.fullmatch(name)
    if short is None:
        return None
    found = {
        record.image_id
        for record in store.records.images.all()
        if record.image_id.encoded.startswith(short[1])
    }
    if len(found) > 1:
        raise Conflict(f"No such image: {name}: {len(found)} image IDs begin like this")
    return store.image(found.pop()) if found else None


def _dangling(store: ImageStore, images: list[Image], values: Sequence[str]) -> list[Image]:
    wanted = {_truth("dangling", value) for value in values}
    return [image for image in images if (not image.tags) in wanted]


def _label(store: ImageStore, images: list[Image], values: Sequence[str]) -> list[Image]:
    def carries(image: Image, wanted: str) -> bool:
        key, equals, value = wanted.partition("=")
        labels = image.config.labels
        return labels.get(key) == value if equals else key in labels

    return [image for image in images if all(carries(image, value) for value in values)]


def _reference(store: ImageStore, images: list[Image], values: Sequence[str]) -> list[Image]:
    """Only what was asked for is shown: an image keeps no more than the names that fit."""

    def fits(record: ImageRecord) -> bool:
        for text in (record.reference, store.familiar(record)):
            name = text.partition("@")[0] if "@" in text else text.rpartition(":")[0]
            if any(fnmatch.fnmatchcase(one, value) for one in (text, name) for value in values):
                return True
        return False

    named = [
        replace(image, records=tuple(one for one in (*image.tags, *image.digests) if fits(one)))
        for image in images
    ]
    return [image for image in named if image.tags]


def _before(store: ImageStore, images: list[Image], values: Sequence[str]) -> list[Image]:
    limit = min(created(find(store, value)) for value in values)
    return [image for image in images if created(image) < limit]


def _since(store: ImageStore, images: list[Image], values: Sequence[str]) -> list[Image]:
    limit = max(created(find(store, value)) for value in values)
    return [image for image in images if created(image) > limit]


def _truth(key: str, value: str) -> bool:
    if value.lower() in ("true", "1"):
        return True
    if value.lower() in ("false", "0"):
        return False
    raise BadRequest(f"invalid filter '{key}={value}': expected true or false")


_Filter = Callable[[ImageStore, list[Image], Sequence[str]], list[Image]]

FILTERS: Mapping[str, _Filter] = {
    "dangling": _dangling,
    "label": _label,
    "reference": _reference,
    "before": _before,
    "since": _since,
}
