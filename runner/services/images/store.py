"""ImageStore: image records, and the blobs and layers they reference."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from oci.descriptor import Descriptor
from oci.digest import Digest, DigestMismatch
from oci.errors import OCIError
from oci.image_config import ImageConfig
from oci.manifest import ImageManifest, ManifestInvalid, parse_manifest
from oci.mediatype import OCI_LAYER_TYPES, compression_of
from oci.reference import Reference
from runner.errors import BadRequest, RunnerError
from runner.storage.content import BlobUnknown, ContentStore
from runner.storage.layers.store import LayerStore
from runner.storage.record_store import RecordStore
from runner.storage.records import ImageRecord
from runner.tasks.keyed_locks import KeyedLocks

LOCAL_LAYERS = 2
# Age at which a partial download is discarded.
PARTIAL_SECONDS = 24 * 3600
IMAGE_ID = re.compile(r"[0-9a-f]{64}", re.ASCII)


class ImageUser(Protocol):
    """A user of an image: a container."""

    @property
    def id(self) -> str: ...

    @property
    def image_id(self) -> Digest: ...

    @property
    def state(self) -> str: ...


class ImageCorrupt(RunnerError):
    """An image's manifest or config is missing or corrupt."""

    def __init__(self, reference: str, reason: Exception) -> None:
        super().__init__(f"image {reference} is corrupt: {reason}; pull it again")


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


class ImageStore:
    """Image records, and the blobs and layers they protect from the sweep.

    Runs in one event loop: state does not change between two awaits.  Operations hold the
    digests they have not recorded yet, so that no sweep deletes them.
    """

    def __init__(
        self, content: ContentStore, layers: LayerStore, records: RecordStore, default_registry: str
    ) -> None:
        self.content = content
        self.layers = layers
        self.records = records
        self.default_registry = default_registry
        self._held: Counter[Digest] = Counter()
        # By diff ID: of two that make a layer, the second finds it unpacked.
        self.layer_locks = KeyedLocks[Digest]()
        # Bounds parallel unpacking from local files.
        self.local_slots = asyncio.Semaphore(LOCAL_LAYERS)
        self._documents: dict[Digest, tuple[ImageManifest, ImageConfig]] = {}

    def images(self) -> tuple[Image, ...]:
        """Every readable image, oldest record first."""
        return tuple(each for each in self.images_and_corrupt() if isinstance(each, Image))

    def images_and_corrupt(self) -> tuple[Image | CorruptImage, ...]:
        """Every image, oldest record first; corrupt ones as CorruptImage."""
        by_id: dict[Digest, list[ImageRecord]] = {}
        for record in self.records.images.all():
            by_id.setdefault(record.image_id, []).append(record)
        return tuple(self._image_or_corrupt(records) for records in by_id.values())

    def image(self, image_id: Digest) -> Image | None:
        """The image, or None; raises ImageCorrupt."""
        found = self._records_of(image_id)
        return self._image(found) if found else None

    def image_or_corrupt(self, image_id: Digest) -> Image | CorruptImage | None:
        found = self._records_of(image_id)
        return self._image_or_corrupt(found) if found else None

    def blob_of(self, diff_id: Digest) -> Descriptor | None:
        """A stored blob of the layer, by any image's manifest."""
        for image in self.images():
            for known, blob in image.layers:
                if known == diff_id and self.content.has(blob.digest):
                    media_type = OCI_LAYER_TYPES[compression_of(blob.media_type)]
                    return Descriptor(media_type, blob.digest, blob.size)
        return None

    def size(self, diff_id: Digest, blob: Descriptor) -> int:
        """The size in bytes of a layer's files; of its blob if it is not unpacked."""
        if self.layers.has(diff_id):
            return self.layers.layer(diff_id).total_bytes
        return blob.size

    def reference(self, name: str) -> Reference:
        """Parse a user's reference, or BadRequest with the reason."""
        try:
            return Reference.parse(name, default_host=self.default_registry)
        except OCIError as error:
            raise BadRequest(f"invalid reference format: {error}") from error

    def tag_reference(self, name: str) -> Reference:
        """Parse a new name for an image, which must be a tag."""
        reference = self.reference(name)
        if reference.digest is not None:
            raise BadRequest(f"cannot tag {name}: expected a tag, found a digest")
        if IMAGE_ID.fullmatch(str(reference.name)):
            raise BadRequest(f"cannot tag {name}: 64 hex characters are an image ID")
        return reference

    def familiar(self, record: ImageRecord) -> str:
        """The record's reference in docker's familiar form."""
        reference = Reference.parse(record.reference, default_host=self.default_registry)
        return reference.familiar(self.default_registry)

    async def point(
        self, references: Iterable[str], target: Descriptor, manifest: Digest, image_id: Digest
    ) -> None:
        """Set every reference to this image, atomically.

        An image that loses its last reference, or is stored without one, stays reachable by ID.
        """
        wanted = tuple(references)
        if not wanted:
            if self._records_of(image_id):
                return
            wanted = (str(image_id),)
        now = time.time()
        named = [ImageRecord(text, target, manifest, image_id, now) for text in wanted]
        moved = {text: self.records.images.get(text) for text in wanted}
        orphans = {
            old.image_id: ImageRecord(
                str(old.image_id), old.target, old.manifest, old.image_id, now
            )
            for old in moved.values()
            if old and old.image_id != image_id and self._only(old.image_id, wanted)
        }
        await self.records.images.put(*named, *orphans.values())
        if wanted != (str(image_id),):
            await self.records.images.remove(str(image_id))

    async def keep(self, digest: Digest, document: bytes) -> None:
        """Store a manifest or config; a corrupt copy is replaced."""
        try:
            self.content.read(digest)
        except BlobUnknown:
            await self.content.put(digest, document)
        except DigestMismatch:
            await self.content.delete(digest)
            await self.content.put(digest, document)

    @contextmanager
    def hold(self, digests: Iterable[Digest]) -> Iterator[None]:
        """Protect blobs and layers from the sweep inside the block, until they are recorded."""
        held = tuple(digests)
        self._held.update(held)
        try:
            yield
        finally:
            self._held.subtract(held)
            self._held = +self._held

    def held(self) -> frozenset[Digest]:
        """The digests held now."""
        return frozenset(self._held)

    async def sweep(
        self, in_use: Iterable[Digest] = (), *, partial_seconds: float = PARTIAL_SECONDS
    ) -> tuple[tuple[Digest, ...], int]:
        """Delete unreferenced blobs and layers; returns the layers deleted and the bytes freed.

        Partial downloads are deleted if not resumed for ``partial_seconds``.
        """
        kept = set(in_use) | set(self._held)
        for image in self.images_and_corrupt():
            kept |= {record.target.digest for record in image.records}
            kept |= {record.manifest for record in image.records}
            kept |= {image.id, *image.diff_ids}
            if isinstance(image, Image):
                kept |= {blob.digest for blob in image.manifest.all_blobs}
        gone, size = [], 0
        for diff_id in tuple(self.layers.diff_ids()):
            if diff_id not in kept and not self._held[diff_id]:
                await self.layers.remove(diff_id)
                gone.append(diff_id)
        for digest in tuple(self.content.digests()):
            if digest not in kept and not self._held[digest]:
                size += self.content.size(digest) or 0
                await self.content.delete(digest)
                self._documents.pop(digest, None)
        return tuple(gone), size + await self.content.discard_partial(partial_seconds)

    def _only(self, image_id: Digest, leaving: tuple[str, ...]) -> bool:
        """Whether the image has no records except ``leaving``."""
        return all(
            record.reference in leaving
            for record in self.records.images.all()
            if record.image_id == image_id
        )

    def _records_of(self, image_id: Digest) -> list[ImageRecord]:
        return [record for record in self.records.images.all() if record.image_id == image_id]

    def _image_or_corrupt(self, records: list[ImageRecord]) -> Image | CorruptImage:
        try:
            return self._image(records)
        except ImageCorrupt as error:
            image_id = records[0].image_id
            try:
                diff_ids = ImageConfig.parse(self.content.read(image_id)).diff_ids
            except (BlobUnknown, OCIError, OSError):
                diff_ids = ()
            return CorruptImage(image_id, tuple(records), diff_ids, str(error))

    def _image(self, records: list[ImageRecord]) -> Image:
        newest = max(records, key=lambda record: record.updated)
        manifest, config = self._read(newest)
        return Image(newest.image_id, manifest, config, tuple(records))

    def _read(self, record: ImageRecord) -> tuple[ImageManifest, ImageConfig]:
        if record.manifest not in self._documents:
            try:
                manifest = parse_manifest(self.content.read(record.manifest), None, allow_urls=True)
                if not isinstance(manifest, ImageManifest):
                    raise ManifestInvalid(f"{record.manifest} is an index")
                config = ImageConfig.parse(self.content.read(manifest.config.digest))
            except (BlobUnknown, OCIError, OSError) as error:
                raise ImageCorrupt(record.reference, error) from error
            self._documents[record.manifest] = (manifest, config)
        return self._documents[record.manifest]


def _tags(records: Iterable[ImageRecord]) -> tuple[ImageRecord, ...]:
    return tuple(record for record in records if is_tag(record.reference))


def _digests(records: Iterable[ImageRecord]) -> tuple[ImageRecord, ...]:
    return tuple(record for record in records if "@" in record.reference)


def is_tag(reference: str) -> bool:
    """Whether a record's reference is a tag, not a digest or an image ID."""
    return "@" not in reference and "/" in reference
