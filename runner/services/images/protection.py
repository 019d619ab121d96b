"""Protection: digests that the sweep must not delete yet, and the sweep of all others."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from oci.digest import Digest
from runner.services.images.image import Image
from runner.services.images.records import ImageRecords
from runner.storage.content.contract import ContentStore
from runner.storage.layers.contract import LayerStore

# Age at which a partial download is discarded.
PARTIAL_SECONDS = 24 * 3600


class Protection:
    """Keeps the blobs and layers that records name, and those that operations hold.

    Runs in one event loop: state does not change between two awaits.  An operation holds the
    digests that it has not recorded yet.
    """

    def __init__(self, records: ImageRecords, content: ContentStore, layers: LayerStore) -> None:
        self._records = records
        self._content = content
        self._layers = layers
        self._held: Counter[Digest] = Counter()

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
        for image in self._records.images_and_corrupt():
            kept |= {record.target.digest for record in image.records}
            kept |= {record.manifest for record in image.records}
            kept |= {image.id, *image.diff_ids}
            if isinstance(image, Image):
                kept |= {blob.digest for blob in image.manifest.all_blobs}
        gone, size = [], 0
        for diff_id in tuple(self._layers.diff_ids()):
            if diff_id not in kept and not self._held[diff_id]:
                await self._layers.remove(diff_id)
                gone.append(diff_id)
        for digest in tuple(self._content.digests()):
            if digest not in kept and not self._held[digest]:
                size += await self._content.delete(digest)
                self._records.evict(digest)
        return tuple(gone), size + await self._content.partial.discard(partial_seconds)
