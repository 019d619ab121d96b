"""LayerDownload: download, verify and unpack one layer in a single pass.

https://github.com/opencontainers/image-spec/blob/main/layer.md
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing

from oci.descriptor import Descriptor
from oci.digest import Digest, DigestMismatch
from oci.mediatype import compression_of
from runner.errors import RunnerError
from runner.schema import ProgressEvent
from runner.services.images.progress import PULLING, LayerProgress, ProgressLabels
from runner.services.images.store import ImageStore
from runner.storage.content.contract import Ingest

# Large enough to amortize the thread switches of hashing and writing.
RECHUNK_BYTES = 1024 * 1024
# Longest wait of received bytes: then they are reported as progress, and kept for a retry.
GATHER_SECONDS = 1.0

Fetch = Callable[[int], AsyncGenerator[bytes, None]]


class LayerDownload:
    """The download of one layer.

    ``fetch`` opens the blob at an offset, in a registry or an archive.  A layer already
    unpacked is not fetched, unless it was unpacked from another blob: an image is saved and
    pushed with the blobs of its manifest.  Of two downloads of the same layer the second waits,
    and resumes if the first is cancelled.  The layer becomes visible once its digest and its
    diff ID are verified; a broken connection leaves a partial blob to resume.
    """

    def __init__(
        self,
        store: ImageStore,
        diff_id: Digest,
        blob: Descriptor,
        fetch: Fetch,
        report: Callable[[ProgressEvent], None],
        labels: ProgressLabels = PULLING,
    ) -> None:
        self._store = store
        self._diff_id = diff_id
        self._blob = blob
        self._fetch = fetch
        self._progress = LayerProgress(blob, report)
        self._labels = labels

    async def run(self, slots: asyncio.Semaphore) -> None:
        if self._is_present():
            self._progress.status(self._labels.known)
            return
        self._progress.status(self._labels.started)
        async with self._store.layer_locks.hold(self._diff_id), slots:
            if not self._is_present():
                await self._download()
        self._progress.status(self._labels.done)

    def _is_present(self) -> bool:
        store = self._store
        return store.layers.has(self._diff_id) and store.content.has(self._blob.digest)

    async def _download(self) -> None:
        async with self._store.content.ingest(self._blob.digest, self._blob.size) as ingest:
            resumed = ingest.offset > 0 and not ingest.complete
            try:
                await self._unpack(ingest)
            except DigestMismatch as mismatch:
                # The resumed part may be corrupt: retry from the start.
                if not resumed or mismatch.expected != self._blob.digest:
                    raise
                await self._unpack(ingest)

    async def _unpack(self, ingest: Ingest) -> None:
        """Write each buffer once to the blob's file and once to the unpacker.

        Hot path: pull.
        """
        compression = compression_of(self._blob.media_type)
        async with self._store.layers.writer(self._diff_id, compression) as layer:
            async for chunk in ingest.arrived():
                await layer.write(chunk)
            if not ingest.complete:
                async with aclosing(self._fetch(ingest.offset)) as stream:
                    async for chunk in rechunked(stream):
                        await ingest.append(chunk)
                        await layer.write(chunk)
                        self._progress.moved(self._labels.moving, ingest.offset)
                self._progress.status(self._labels.here)
                await ingest.commit()
            self._progress.moved(self._labels.unpacking, self._blob.size)
            await layer.commit()


async def restore(store: ImageStore, diff_id: Digest, blob: Descriptor) -> None:
    """Unpack a layer from its stored blob."""
    compression = compression_of(blob.media_type)
    async with (
        store.content.ingest(blob.digest, blob.size) as ingest,
        store.layers.writer(diff_id, compression) as layer,
    ):
        async for chunk in ingest.arrived():
            await layer.write(chunk)
        await layer.commit()


async def rechunked(
    stream: AsyncIterator[bytes], now: Callable[[], float] = time.monotonic
) -> AsyncIterator[bytes]:
    """Merge chunks into larger ones; on a failure the bytes before it are still yielded."""
    waiting: list[bytes] = []
    size, started = 0, now()
    try:
        async for chunk in stream:
            waiting.append(chunk)
            size += len(chunk)
            if size >= RECHUNK_BYTES or now() - started >= GATHER_SECONDS:
                yield b"".join(waiting)
                waiting, size, started = [], 0, now()
    except RunnerError:
        if waiting:
            yield b"".join(waiting)
        raise
    if waiting:
        yield b"".join(waiting)
