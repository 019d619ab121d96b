"""Find images by name, ID or filter; parse the names that users give them."""

import fnmatch
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from oci.descriptor import Platform
from oci.digest import Digest
from oci.errors import OCIError
from oci.reference import Reference
from runner.errors import BadRequest, Conflict, NoSuchImage
from runner.schema import filters
from runner.schema.filters import Filter, Filters
from runner.schema.times import read_rfc3339
from runner.services.images.image import CorruptImage, Image
from runner.services.images.store import ImageStore
from runner.services.names import ID
from runner.storage.records.values import ImageRecord

FULL_ID = re.compile(rf"(?:sha256:)?({ID.pattern})", re.ASCII)
SHORT_ID = re.compile(r"(?:sha256:)?([0-9a-f]{1,64})", re.ASCII)


def find(store: ImageStore, name: str) -> Image:
    """Find an image: 64 hex characters are an ID; then by name, then by ID prefix.

    Raises NoSuchImage, and ImageCorrupt for one that cannot be read.
    """
    image = store.records.find(_find_id(store, name))
    if image is None:
        raise NoSuchImage(name)
    return image


def find_to_remove(store: ImageStore, name: str) -> Image | CorruptImage:
    """Find an image or a corrupt one, for removal."""
    image = store.records.find_or_corrupt(_find_id(store, name))
    if image is None:
        raise NoSuchImage(name)
    return image


def is_id(name: str, image: Image | CorruptImage) -> bool:
    """Whether the name is this image's ID, or a prefix of it."""
    short = SHORT_ID.fullmatch(name)
    return short is not None and image.id.encoded.startswith(short[1])


def select(store: ImageStore, requested: Filters) -> list[Image]:
    """The images that every filter matches, newest first; BadRequest for an unknown filter."""
    filters.check_names(requested, FILTERS)
    images = sorted(store.records.images(), key=created, reverse=True)
    # The reference filter comes last: it drops the names that do not match.
    for key in FILTERS:
        if key in requested:
            images = FILTERS[key](store, images, requested[key])
    return images


def parse_reference(store: ImageStore, name: str) -> Reference:
    """Parse a user's reference, or BadRequest with the reason."""
    try:
        return Reference.parse(name, default_host=store.default_registry)
    except OCIError as error:
        raise BadRequest(f"invalid reference format: {error}") from error


def parse_tag_reference(store: ImageStore, name: str) -> Reference:
    """Parse a new name for an image, which must be a tag."""
    reference = parse_reference(store, name)
    if reference.digest is not None:
        raise BadRequest(f"cannot tag {name}: expected a tag, found a digest")
    if ID.fullmatch(str(reference.name)):
        raise BadRequest(f"cannot tag {name}: 64 hex characters are an image ID")
    return reference


def familiar(store: ImageStore, record: ImageRecord) -> str:
    """The record's reference in docker's familiar form."""
    reference = Reference.parse(record.reference, default_host=store.default_registry)
    return reference.familiar(store.default_registry)


def parse_platform(text: str | None) -> Platform | None:
    """Parse ``os/architecture[/variant]``, or BadRequest; None for an empty text."""
    try:
        return Platform.parse(text) if text else None
    except OCIError as error:
        raise BadRequest(str(error)) from error


def created(image: Image) -> datetime:
    """The image's creation time as a sort key; the oldest of all without one."""
    return read_rfc3339(image.config.created) or datetime.min.replace(tzinfo=UTC)


def _find_id(store: ImageStore, name: str) -> Digest:
    if full := FULL_ID.fullmatch(name):
        return Digest("sha256", full[1])
    found = _find_named(store, name) or _by_short_id(store, name)
    if found is None:
        raise NoSuchImage(name)
    return found


def _find_named(store: ImageStore, name: str) -> Digest | None:
    try:
        reference = Reference.parse(name, default_host=store.default_registry)
    except OCIError:
        return None
    key = str(reference)
    if reference.digest is not None:
        # With both, the digest decides and the tag is informative.
        key = f"{reference.host}/{reference.name}@{reference.digest}"
    record = store.records.get(key)
    return record.image_id if record else None


def _by_short_id(store: ImageStore, name: str) -> Digest | None:
    short = SHORT_ID.fullmatch(name)
    if short is None:
        return None
    found = {
        record.image_id
        for record in store.records.all()
        if record.image_id.encoded.startswith(short[1])
    }
    if len(found) > 1:
        raise Conflict(f"No such image: {name}: {len(found)} image IDs begin like this")
    return found.pop() if found else None


def _reference(store: ImageStore, images: list[Image], values: Sequence[str]) -> list[Image]:
    """Filter by reference; an image keeps only its matching names."""
    if not values:
        return images

    def fits(record: ImageRecord) -> bool:
        for text in (record.reference, familiar(store, record)):
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
    limits = [created(find(store, value)) for value in values]
    return [image for image in images if all(created(image) < limit for limit in limits)]


def _since(store: ImageStore, images: list[Image], values: Sequence[str]) -> list[Image]:
    limits = [created(find(store, value)) for value in values]
    return [image for image in images if all(created(image) > limit for limit in limits)]


_Select = Callable[[ImageStore, list[Image], Sequence[str]], list[Image]]


def _matching(keeps: Filter[Image]) -> _Select:
    def select(store: ImageStore, images: list[Image], values: Sequence[str]) -> list[Image]:
        return list(filter(keeps(values), images))

    return select


PRUNE_FILTERS: Mapping[str, Filter[Image]] = {
    "label": lambda values: lambda image: filters.label(values)(image.config),
    "label!": lambda values: lambda image: filters.without_label(values)(image.config),
    "until": filters.created_before(lambda image: read_rfc3339(image.config.created)),
}

FILTERS: Mapping[str, _Select] = {
    "dangling": _matching(filters.boolean("dangling", lambda image: not image.tags)),
    "label": _matching(PRUNE_FILTERS["label"]),
    "until": _matching(PRUNE_FILTERS["until"]),
    "before": _before,
    "since": _since,
    "reference": _reference,
}
