"""ImageManifest and ImageIndex, which keep the exact bytes they were parsed from.

https://github.com/opencontainers/image-spec/blob/main/manifest.md
https://github.com/opencontainers/image-spec/blob/main/image-index.md
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from oci.descriptor import Descriptor
from oci.digest import Digest
from oci.document import InvalidDocument, parse_document
from oci.errors import ErrorCode, OCIError, quoted
from oci.fields import Fields, case_folded
from oci.mediatype import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    INDEXES,
    MANIFESTS,
    OCI_INDEX,
    OCI_MANIFEST,
    is_media_type,
    without_parameters,
)

MAX_MANIFEST_BYTES = 4 * 1024 * 1024
MAX_DESCRIPTORS = 10_000
# Indexes from the one that is asked for down to an image, as one names the next.
MAX_INDEX_DEPTH = 3

_FIELD_NAMES = case_folded(
    *("schemaVersion", "mediaType", "artifactType", "config", "layers", "manifests", "subject"),
    *("annotations", "fsLayers"),
)
_KNOWN_MEDIA_TYPES = ", ".join((OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST))


class ManifestInvalid(OCIError):
    """The content is not a valid manifest or index."""

    code = ErrorCode.MANIFEST_INVALID


class ManifestTooLarge(ManifestInvalid):
    """The content is longer than the largest manifest allowed."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE

    def __init__(self, size: int) -> None:
        super().__init__(f"manifest has {size} bytes, expected at most {MAX_MANIFEST_BYTES}")


@dataclass(frozen=True, slots=True)
class ImageManifest:
    """An image or artifact manifest: a config, and layers from the lowest up."""

    content: bytes
    media_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]
    subject: Descriptor | None = None
    artifact_type: str | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> Digest:
        return Digest.of(self.content)

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """The blobs that a registry must hold for this manifest: all but foreign layers."""
        return (self.config, *(layer for layer in self.layers if not layer.is_foreign))

    @property
    def all_blobs(self) -> tuple[Descriptor, ...]:
        """Everything that running the image takes: foreign layers as well."""
        return (self.config, *self.layers)


@dataclass(frozen=True, slots=True)
class ImageIndex:
    """A list of manifests, commonly one for each platform."""

    content: bytes
    media_type: str
    manifests: tuple[Descriptor, ...]
    subject: Descriptor | None = None
    artifact_type: str | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> Digest:
        return Digest.of(self.content)


def parse_manifest(
    content: bytes, media_type: str | None, *, allow_urls: bool = False
) -> ImageManifest | ImageIndex:
    """Parse a manifest or an index of the media type in its Content-Type.

    Without that, the document's ``mediaType`` decides; without both, its fields do.  Its size,
    its number of descriptors and its JSON are bounded (rule IN-4); its fields must agree with the
    media type (rule IN-5).
    ``allow_urls`` as in Descriptor.from_json.  Raises ManifestInvalid; unknown fields are allowed.
    """
    if len(content) > MAX_MANIFEST_BYTES:
        raise ManifestTooLarge(len(content))
    try:
        fields = Fields(parse_document(content))
        media_type = _check_media_type(fields, media_type)
        if media_type in INDEXES:
            return _parse_index(content, media_type, fields)
        return _parse_image(content, media_type, fields, allow_urls=allow_urls)
    except InvalidDocument as error:
        raise ManifestInvalid(f"invalid manifest: {error}") from None


def _check_media_type(fields: Fields, given: str | None) -> str:
    fields.refuse_lookalikes(_FIELD_NAMES)
    own = fields.optional_string("mediaType")
    sent = without_parameters(given) if given is not None else None
    if own and sent and own != sent:
        raise InvalidDocument(
            f"mediaType is {quoted(own)}, expected the Content-Type {quoted(sent)}"
        )
    media_type = sent or own or _media_type_by_fields(fields)
    if media_type not in MANIFESTS and media_type not in INDEXES:
        raise InvalidDocument(
            f"media type {quoted(media_type)}, expected one of {_KNOWN_MEDIA_TYPES}"
        )
    if "manifests" in fields and ("layers" in fields or "config" in fields):
        raise InvalidDocument("found manifests beside layers or config, expected only one kind")
    if "fsLayers" in fields:
        raise InvalidDocument("found fsLayers, expected no field of Docker's schema 1")
    version = fields.integer("schemaVersion")
    if version != 2:
        raise InvalidDocument(f"schemaVersion is {version}, expected 2")
    return media_type


def _media_type_by_fields(fields: Fields) -> str:
    return OCI_INDEX if "manifests" in fields else OCI_MANIFEST


def _parse_image(
    content: bytes, media_type: str, fields: Fields, *, allow_urls: bool
) -> ImageManifest:
    if "manifests" in fields:
        raise InvalidDocument(f"found manifests, expected config and layers of {media_type}")
    config = _descriptor(fields, "config")
    if config is None:
        raise InvalidDocument("config: found nothing, expected a descriptor")
    return ImageManifest(
        content,
        media_type,
        config,
        _descriptors(fields, "layers", allow_urls=allow_urls),
        _descriptor(fields, "subject"),
        _artifact_type(fields),
        fields.string_map("annotations"),
    )


def _parse_index(content: bytes, media_type: str, fields: Fields) -> ImageIndex:
    if "manifests" not in fields:
        raise InvalidDocument(f"manifests: found nothing, expected the array of {media_type}")
    return ImageIndex(
        content,
        media_type,
        _descriptors(fields, "manifests"),
        _descriptor(fields, "subject"),
        _artifact_type(fields),
        fields.string_map("annotations"),
    )


def _descriptors(fields: Fields, key: str, *, allow_urls: bool = False) -> tuple[Descriptor, ...]:
    values = fields.array(key)
    if len(values) > MAX_DESCRIPTORS:
        raise InvalidDocument(
            f"{key}: found {len(values)} descriptors, expected at most {MAX_DESCRIPTORS}"
        )
    return tuple(
        Descriptor.from_json(value, f"{key}[{index}]", allow_urls=allow_urls)
        for index, value in enumerate(values)
    )


def _descriptor(fields: Fields, key: str) -> Descriptor | None:
    value = fields.nested(key)
    return None if value is None else Descriptor.from_json(dict(value.items()), key)


def _artifact_type(fields: Fields) -> str | None:
    text = fields.optional_string("artifactType")
    if text and not is_media_type(text):
        raise InvalidDocument(f"artifactType: found {quoted(text)}, expected type/subtype")
    return text or None
