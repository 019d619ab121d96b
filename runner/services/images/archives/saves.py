"""Save images as one tar, both an OCI layout and docker's format.

https://github.com/opencontainers/image-spec/blob/main/image-layout.md
"""

import json
import tarfile
from collections.abc import AsyncIterator, Sequence

from oci.descriptor import Descriptor
from oci.digest import Digest
from oci.encoding import image_index
from runner.errors import NoSuchImage, NotFound
from runner.services.images.archives.files import NAME_ANNOTATION, TAG_ANNOTATION, blob_name
from runner.services.images.image import Image
from runner.services.images.layers.files import FileRange
from runner.services.images.search import find, is_id, parse_reference
from runner.services.images.store import ImageStore
from runner.storage.records.values import ImageRecord

LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'

SavedImage = tuple[Image, tuple[ImageRecord, ...]]


class Saver:
    """Writes images to archives."""

    def __init__(self, store: ImageStore) -> None:
        self._store = store

    def save(self, names: Sequence[str]) -> AsyncIterator[bytes]:
        """The archive's bytes; every name is looked up before the first byte."""
        chosen: dict[Digest, SavedImage] = {}
        for name in names:
            image, records = self._choose(name)
            _, known = chosen.get(image.id, (image, ()))
            more = tuple(record for record in records if record not in known)
            chosen[image.id] = (image, (*known, *more))
        for image, _ in chosen.values():
            for blob in image.manifest.all_blobs:
                if not self._store.content.has(blob.digest):
                    raise NotFound(
                        f"blob {blob.digest} of {image.id} was never fetched in this form: "
                        "pull the image again"
                    )
        return self._archive(list(chosen.values()))

    def _choose(self, name: str) -> SavedImage:
        """The image, and the names to save with it: none for an ID, all for a bare repository."""
        image = find(self._store, name)
        if is_id(name, image):
            return image, ()
        reference = parse_reference(self._store, name)
        if reference.digest is not None:
            return image, ()
        key = str(reference)
        found = tuple(record for record in image.tags if record.reference == key)
        if not found:
            raise NoSuchImage(name)
        return image, found

    async def _archive(self, chosen: Sequence[SavedImage]) -> AsyncIterator[bytes]:
        held = {blob.digest for image, _ in chosen for blob in image.manifest.all_blobs}
        held |= {image.manifest_digest for image, _ in chosen}
        with self._store.protection.hold(held):
            written: set[Digest] = set()
            for image, _ in chosen:
                async for chunk in self._blobs(image, written):
                    yield chunk
            documents = {
                "index.json": _index(chosen),
                "manifest.json": _manifest_json(chosen),
                "oci-layout": LAYOUT,
            }
            for name, content in documents.items():
                yield _entry(name, len(content)) + content + _padding(len(content))
        # Two empty blocks end an archive.
        yield bytes(2 * tarfile.BLOCKSIZE)

    async def _blobs(self, image: Image, written: set[Digest]) -> AsyncIterator[bytes]:
        content = self._store.content
        sizes = {blob.digest: blob.size for blob in image.manifest.all_blobs}
        sizes[image.manifest_digest] = len(image.manifest.content)
        for digest, size in sizes.items():
            if digest not in written:
                written.add(digest)
                yield _entry(blob_name(digest), size)
                async for chunk in FileRange.whole(content.path(digest)).stream():
                    yield chunk
                yield _padding(size)


def _index(chosen: Sequence[SavedImage]) -> bytes:
    """index.json: one descriptor for each name, as containerd writes them."""
    descriptors = []
    for image, records in chosen:
        size = len(image.manifest.content)
        named = [_annotations(record) for record in records] or [{}]
        descriptors += [
            Descriptor(
                image.manifest.media_type,
                image.manifest_digest,
                size,
                annotations=annotations,
                platform=image.config.platform,
            )
            for annotations in named
        ]
    return image_index(descriptors)


def _annotations(record: ImageRecord) -> dict[str, str]:
    tag = record.reference.rpartition(":")[2]
    return {NAME_ANNOTATION: record.reference, TAG_ANNOTATION: tag}


def _manifest_json(chosen: Sequence[SavedImage]) -> bytes:
    """manifest.json, for docker and tools that read only docker's format."""
    items = [
        {
            "Config": blob_name(image.manifest.config.digest),
            "RepoTags": [record.reference for record in records],
            "Layers": [blob_name(layer.digest) for layer in image.manifest.layers],
        }
        for image, records in chosen
    ]
    return json.dumps(items, separators=(",", ":")).encode()


def _entry(name: str, size: int) -> bytes:
    """A file's tar header, reproducible: the same bytes for the same image."""
    entry = tarfile.TarInfo(name)
    entry.size = size
    entry.mode = 0o644
    return entry.tobuf(tarfile.GNU_FORMAT)


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)
