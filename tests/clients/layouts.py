"""OCI image layouts on disk, from which real clients push.

https://github.com/opencontainers/image-spec/blob/main/image-layout.md
"""

import json
from pathlib import Path

from oci.digest import Digest
from tests.support.images import Image, Index

REF_NAME = "org.opencontainers.image.ref.name"


def write_layout(directory: Path, content: Image | Index, tag: str = "latest") -> Path:
    """Write an image, or an index with all its images, under one tag."""
    images = content.images if isinstance(content, Index) else (content,)
    for image in images:
        for blob in (*image.blobs.values(), image.manifest):
            _write_blob(directory, blob)
    _write_blob(directory, content.manifest)
    (directory / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    descriptor = {
        "mediaType": content.media_type,
        "digest": str(content.digest),
        "size": len(content.manifest),
        "annotations": {REF_NAME: tag},
    }
    index = {"schemaVersion": 2, "manifests": [descriptor]}
    (directory / "index.json").write_text(json.dumps(index))
    return directory


def blobs_of(layout: Path) -> dict[str, bytes]:
    """Every blob of a layout, by its digest as the file names it."""
    return {
        f"{path.parent.name}:{path.name}": path.read_bytes() for path in layout.glob("blobs/*/*")
    }


def _write_blob(directory: Path, content: bytes) -> None:
    digest = Digest.of(content)
    place = directory / "blobs" / digest.algorithm
    place.mkdir(parents=True, exist_ok=True)
    (place / digest.encoded).write_bytes(content)
