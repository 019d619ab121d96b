"""Image: the values that the image services return, and the users that an image can have."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from oci.descriptor import Descriptor
from oci.digest import Digest
from oci.image_config import ImageConfig
from oci.manifest import ImageManifest
from runner.storage.records.values import ImageRecord


class ImageUser(Protocol):
    """A user of an image: a container."""

    @property
    def id(self) -> str: ...

    @property
    def image_id(self) -> Digest: ...

    @property
    def is_running(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class CorruptImage:
    """An image whose documents cannot be read: its names, and the layers it may need."""

    id: Digest
    records: tuple[ImageRecord, ...]
    diff_ids: tuple[Digest, ...]
    reason: str

    @property
    def tags(self) -> tuple[ImageRecord, ...]:
        return _tags(self.records)

    @property
    def digests(self) -> tuple[ImageRecord, ...]:
        return _digests(self.records)


@dataclass(frozen=True, slots=True)
class Image:
    """An image of this machine: its ID, its documents, and the records that point to it.

    A record's reference is a tag (``host/name:tag``), a digest (``host/name@digest``), or, for
    an unnamed image, the image ID.
    """

    id: Digest
    manifest: ImageManifest
    config: ImageConfig
    records: tuple[ImageRecord, ...]

    @property
    def tags(self) -> tuple[ImageRecord, ...]:
        return _tags(self.records)

    @property
    def digests(self) -> tuple[ImageRecord, ...]:
        return _digests(self.records)

    @property
    def newest(self) -> ImageRecord:
        """The newest record, whose manifest is used: several manifests may have the same config."""
        return max(self.records, key=lambda record: record.updated)

    @property
    def manifest_digest(self) -> Digest:
        return self.newest.manifest

    @property
    def diff_ids(self) -> tuple[Digest, ...]:
        return self.config.diff_ids

    @property
    def layers(self) -> tuple[tuple[Digest, Descriptor], ...]:
        """Each layer's diff ID and blob, lowest first."""
        return tuple(zip(self.config.diff_ids, self.manifest.layers, strict=True))


def _tags(records: Iterable[ImageRecord]) -> tuple[ImageRecord, ...]:
    return tuple(record for record in records if is_tag(record.reference))


def _digests(records: Iterable[ImageRecord]) -> tuple[ImageRecord, ...]:
    return tuple(record for record in records if "@" in record.reference)


def is_tag(reference: str) -> bool:
    """Whether a record's reference is a tag, not a digest or an image ID."""
    return "@" not in reference and "/" in reference
