"""Records: what is kept of an image's name, a container and a volume."""

from dataclasses import dataclass, field
from typing import Any, Final, Protocol, Self

from oci.descriptor import Descriptor
from oci.digest import Digest

SCHEMA_VERSION: Final = 1

Document = dict[str, Any]


class Record(Protocol):
    """A frozen value with a key and a JSON form."""

    @property
    def key(self) -> str: ...

    def to_json(self) -> Document: ...

    @classmethod
    def from_json(cls, document: Document) -> Self: ...


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """A reference, its target at the registry, and its image.

    ``target`` is an index or a manifest; ``manifest`` the one for the chosen platform;
    ``updated`` the time of the last change, in seconds since the epoch.
    """

    reference: str
    target: Descriptor
    manifest: Digest
    image_id: Digest
    updated: float

    @property
    def key(self) -> str:
        return self.reference

    def to_json(self) -> Document:
        return {
            "reference": self.reference,
            "target": self.target.to_json(),
            "manifest": str(self.manifest),
            "image_id": str(self.image_id),
            "updated": self.updated,
        }

    @classmethod
    def from_json(cls, document: Document) -> Self:
        return cls(
            document["reference"],
            Descriptor.from_json(document["target"], "target"),
            Digest.parse(document["manifest"]),
            Digest.parse(document["image_id"]),
            document["updated"],
        )


@dataclass(frozen=True, slots=True)
class ContainerRecord:
    """A container, with its ``desired`` and ``observed`` state.

    Both are opaque documents of the services; ``schema_version`` is the version of the services
    that wrote them.
    """

    id: str
    name: str
    desired: Document
    observed: Document
    schema_version: int = SCHEMA_VERSION

    @property
    def key(self) -> str:
        return self.id

    def to_json(self) -> Document:
        return {
            "id": self.id,
            "name": self.name,
            "desired": self.desired,
            "observed": self.observed,
            "schema_version": self.schema_version,
        }

    @classmethod
    def from_json(cls, document: Document) -> Self:
        return cls(**document)


@dataclass(frozen=True, slots=True)
class VolumeRecord:
    """A named volume; its files are under the root, at ``volumes/<name>/_data``."""

    name: str
    created: float
    labels: dict[str, str] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)
    anonymous: bool = False

    @property
    def key(self) -> str:
        return self.name

    def to_json(self) -> Document:
        return {
            "name": self.name,
            "created": self.created,
            "labels": self.labels,
            "options": self.options,
            "anonymous": self.anonymous,
        }

    @classmethod
    def from_json(cls, document: Document) -> Self:
        return cls(**document)
