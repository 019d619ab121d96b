"""Bytes with digests for campaigns: blobs, manifests, indexes, written without the product."""

import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


@dataclass(frozen=True, slots=True)
class Blob:
    """Some bytes and their digest."""

    content: bytes = field(repr=False)
    digest: str

    def descriptor(self, media_type: str) -> dict[str, Any]:
        return {"mediaType": media_type, "digest": self.digest, "size": len(self.content)}


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest or an index, and the blobs it names."""

    content: bytes = field(repr=False)
    digest: str
    media_type: str
    blobs: tuple[Blob, ...] = field(default=(), repr=False)
    children: tuple["Manifest", ...] = field(default=(), repr=False)

    def descriptor(self) -> dict[str, Any]:
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.content)}


def a_blob(content: bytes) -> Blob:
    return Blob(content, digest_of(content))


def random_blob(dice: random.Random) -> Blob:
    """Mostly small; now and then larger than the buffers on its way."""
    size = dice.choice((40, 700, 5_000, 5_000, 40_000)) + dice.randrange(100)
    return a_blob(dice.randbytes(size * 8 if dice.random() < 0.05 else size))


def base_layers(seed: int, count: int = 6, *, growth: int = 2_000) -> list[Blob]:
    """Layers that every client of a campaign builds upon."""
    dice = random.Random(f"base {seed}")  # noqa: S311
    return [a_blob(dice.randbytes(3_000 + growth * number)) for number in range(count)]


def an_image(
    config: Blob, layers: Sequence[Blob], *, subject: Manifest | None = None, note: str = ""
) -> Manifest:
    document: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config.descriptor(CONFIG),
        "layers": [layer.descriptor(LAYER) for layer in layers],
        "annotations": {"note": note},
    }
    if subject is not None:
        document |= {"subject": subject.descriptor(), "artifactType": "application/x.campaign"}
    return _manifest(document, (config, *layers), ())


def an_index(images: Sequence[Manifest], note: str) -> Manifest:
    document = {
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [image.descriptor() for image in images],
        "annotations": {"note": note},
    }
    return _manifest(document, (), tuple(images))


def _manifest(
    document: dict[str, Any], blobs: tuple[Blob, ...], children: tuple[Manifest, ...]
) -> Manifest:
    content = json.dumps(document, separators=(",", ":")).encode()
    return Manifest(content, digest_of(content), document["mediaType"], blobs, children)
