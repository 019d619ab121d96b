"""ImageRecords: images by their records, and the manifest and config that each record names."""

import time
from collections.abc import Iterable

from oci.descriptor import Descriptor
from oci.digest import Digest
from oci.errors import OCIError
from oci.image_config import ImageConfig
from oci.manifest import ImageManifest, ManifestInvalid, parse_manifest
from runner.errors import RunnerError
from runner.services.images.image import CorruptImage, Image
from runner.storage.content.contract import BlobUnknown, ContentStore
from runner.storage.records.contract import RecordStore
from runner.storage.records.values import ImageRecord


class ImageCorrupt(RunnerError):
    """An image's manifest or config is missing or corrupt."""

    def __init__(self, reference: str, reason: Exception) -> None:
        super().__init__(f"image {reference} is corrupt: {reason}; pull it again")


class ImageRecords:
    """The images of this machine: those that a record points to.

    Queries read the records, then the manifest and the config in the content store, which are
    parsed once and kept until ``evict``.
    """

    def __init__(self, records: RecordStore, content: ContentStore) -> None:
        self._records = records.images
        self._content = content
        self._documents: dict[Digest, tuple[ImageManifest, ImageConfig]] = {}

    def get(self, reference: str) -> ImageRecord | None:
        """The record of a reference, written out with its host."""
        return self._records.get(reference)

    def all(self) -> tuple[ImageRecord, ...]:
        """Every record, oldest first."""
        return self._records.all()

    def images(self) -> tuple[Image, ...]:
        """Every readable image, oldest record first."""
        return tuple(each for each in self.images_and_corrupt() if isinstance(each, Image))

    def images_and_corrupt(self) -> tuple[Image | CorruptImage, ...]:
        """Every image, oldest record first; corrupt ones as CorruptImage."""
        by_id: dict[Digest, list[ImageRecord]] = {}
        for record in self._records.all():
            by_id.setdefault(record.image_id, []).append(record)
        return tuple(self._image_or_corrupt(records) for records in by_id.values())

    def find(self, image_id: Digest) -> Image | None:
        """The image, or None; raises ImageCorrupt."""
        found = self._records_of(image_id)
        return self._image(found) if found else None

    def find_or_corrupt(self, image_id: Digest) -> Image | CorruptImage | None:
        found = self._records_of(image_id)
        return self._image_or_corrupt(found) if found else None

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
        moved = {text: self._records.get(text) for text in wanted}
        orphans = {
            old.image_id: ImageRecord(
                str(old.image_id), old.target, old.manifest, old.image_id, now
            )
            for old in moved.values()
            if old and old.image_id != image_id and self._only(old.image_id, wanted)
        }
        await self._records.put(*named, *orphans.values())
        if wanted != (str(image_id),):
            await self._records.remove(str(image_id))

    async def remove(self, *references: str) -> None:
        """Remove these references; an image without any is gone, its content until a sweep not."""
        await self._records.remove(*references)

    def evict(self, manifest: Digest) -> None:
        """Drop the parsed documents of a manifest that was deleted."""
        self._documents.pop(manifest, None)

    def _only(self, image_id: Digest, leaving: tuple[str, ...]) -> bool:
        """Whether the image has no records except ``leaving``."""
        return all(
            record.reference in leaving
            for record in self._records.all()
            if record.image_id == image_id
        )

    def _records_of(self, image_id: Digest) -> list[ImageRecord]:
        return [record for record in self._records.all() if record.image_id == image_id]

    def _image_or_corrupt(self, records: list[ImageRecord]) -> Image | CorruptImage:
        try:
            return self._image(records)
        except ImageCorrupt as error:
            image_id = records[0].image_id
            try:
                diff_ids = ImageConfig.parse(self._content.read(image_id)).diff_ids
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
                manifest = parse_manifest(
                    self._content.read(record.manifest), None, allow_urls=True
                )
                if not isinstance(manifest, ImageManifest):
                    raise ManifestInvalid(f"{record.manifest} is an index")
                config = ImageConfig.parse(self._content.read(manifest.config.digest))
            except (BlobUnknown, OCIError, OSError) as error:
                raise ImageCorrupt(record.reference, error) from error
            self._documents[record.manifest] = (manifest, config)
        return self._documents[record.manifest]
