"""UploadFile: chunks of a session buffered into batches, which threads hash and write.

One worker hashes a batch while another writes it and the event loop fills the next one; an upload
holds two batches at most, however large the blob.

The bytes of a session, by offset in its file:

    0                 file.written      _submitted          offset
    |----------------------|---------------|---------------|
          in the file         in a batch,     buffered in
                              for threads     _chunks

Between steps, ``file.written <= _submitted <= offset``:

- ``offset``: taken from the client.  ``write`` moves it, on the event loop.
- ``_submitted``: handed to threads in batches.  ``_submit`` moves it, on the event loop.
- ``file.written``: in the file.  ``AppendFile.append`` moves it, in a thread.

After ``flush`` the three are equal.  If a batch fails, the last two fall back to ``file.written``;
``rewind`` moves all of them back.  ``_accounted`` is no offset: it is the part of
``offset - _submitted`` that UploadMemory was told of.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Any

from oci.digest import Digest, Digester, DigestMismatch
from oci.errors import OCIError
from registry.storage.blobs import names as blob_names
from registry.storage.blobs.claims import Claim, Progress, Record
from registry.storage.blobs.contract import Stored
from registry.storage.blobs.filesystem.append_file import BYTES_PER_BATCH, AppendFile
from registry.storage.blobs.filesystem.direct_io import BLOCK_BYTES
from registry.storage.blobs.filesystem.errors import to_storage_error
from registry.storage.blobs.filesystem.file_ops import Buffer
from registry.storage.blobs.filesystem.upload_memory import UploadMemory
from registry.storage.blobs.filesystem.verify import hash_file
from registry.storage.blobs.waiting import run_shielded

log = logging.getLogger(__name__)

# Chunks may be tiny; pwritev takes at most 1,024 buffers (IOV_MAX).
CHUNKS_PER_BATCH = 1024
# Above this, hashing in a second worker is faster although it must be woken.
HASH_APART_BYTES = 256 * 1024
# Called with the file's hash state when the writer has released its session.
KeepDigester = Callable[[Progress, Digester], None]


class UploadFile:
    """The BlobWriter of FilesystemBlobStore; see there for the contract of its methods."""

    def __init__(
        self,
        executor: Executor,
        file: AppendFile,
        claim: Claim,
        record: Record,
        digester: Digester | None,
        keep: KeepDigester,
        memory: UploadMemory,
    ) -> None:
        self._executor = executor
        self._file = file
        self._claim = claim
        self._record = record
        self._digester = digester
        self._keep = keep
        self._memory = memory
        self._accounted = 0
        self._is_open = True
        self._is_committed = False
        self._chunks: list[Buffer] = []
        self._jobs: list[asyncio.Future[Any]] = []
        self._submitted = file.written  # the file offset of the first buffered byte
        self.offset = file.written

    async def write(self, chunk: bytes) -> None:
        """Buffer the chunk; submit a full batch after the previous one is done."""
        self._chunks.append(chunk)
        self.offset += len(chunk)
        self._account()
        if (
            self.offset - self._submitted >= BYTES_PER_BATCH
            or len(self._chunks) >= CHUNKS_PER_BATCH
        ):
            await self._submit(self._take_batch())
        elif self._memory.is_full:
            await self._submit(self._take_batch())
            await self._finish_batch()

    async def flush(self) -> None:
        if self._chunks:
            batch, self._chunks = self._chunks, []
            await self._submit(batch)
        await self._finish_batch()

    async def rewind(self, offset: int) -> None:
        await self.flush()
        # Before the bytes change: whoever continues from a record must find them as it says.
        await self._record(self._progress(offset))
        await self._run(self._truncate, offset)
        self.offset = self._submitted = offset

    async def commit(self, digest: Digest) -> Stored:
        await self.flush()
        await self._record(self._progress(self.offset))
        physical = blob_names.physical_name(digest, self._claim.session)
        await self._run(self._publish, digest, physical)
        self._is_committed = True
        return Stored(physical, self.offset)

    async def release(self) -> Progress:
        return await run_shielded(self._release())

    def _progress(self, offset: int) -> Progress:
        return Progress(self._claim.session, offset, self._claim.token)

    def _take_batch(self) -> list[Buffer]:
        """The buffered bytes up to the last whole block; the rest begins the next batch."""
        batch, self._chunks = self._chunks, []
        rest = self.offset % BLOCK_BYTES
        if 0 < rest < len(batch[-1]):
            last = memoryview(batch[-1])
            batch[-1] = last[:-rest]
            self._chunks = [last[-rest:]]
        return batch

    async def _submit(self, batch: list[Buffer]) -> None:
        await self._finish_batch()
        loop = asyncio.get_running_loop()
        length = sum(map(len, batch))
        self._submitted += length
        self._account()
        steps: list[Callable[[Sequence[Buffer]], None]] = [self._file.append, self._hash]
        if length < HASH_APART_BYTES:
            steps = [self._append_and_hash]
        self._jobs = [loop.run_in_executor(self._executor, step, batch) for step in steps]

    async def _finish_batch(self) -> None:
        """Wait for the submitted batch; if it failed, drop everything after it."""
        jobs = self._jobs
        if not jobs:
            return
        await asyncio.wait(jobs)
        self._jobs = []
        errors = [error for job in jobs if (error := job.exception()) is not None]
        if not errors:
            return
        self._chunks = []
        self.offset = self._submitted = self._file.written
        self._account()
        if self._digester is not None and self._digester.size != self._file.written:
            self._digester = None  # it has hashed what was not written
        raise to_storage_error(errors[0]) if isinstance(errors[0], OSError) else errors[0]

    def _account(self) -> None:
        """Update this upload's share of the memory of all uploads."""
        now = self.offset - self._submitted
        self._memory.buffered += now - self._accounted
        self._accounted = now

    async def _run(self, step: Callable[..., None], *arguments: Any) -> None:
        loop = asyncio.get_running_loop()
        self._jobs = [loop.run_in_executor(self._executor, step, *arguments)]
        await self._finish_batch()

    async def _release(self) -> Progress:
        if self._is_open:
            self._is_open = False
            try:
                await self._flush_if_possible()
                if not self._is_committed:
                    await self._record(self._progress(self.offset))
            finally:
                self._close()
            if self._digester is not None and not self._is_committed:
                self._keep(self._progress(self.offset), self._digester)
        return self._progress(self.offset)

    async def _flush_if_possible(self) -> None:
        try:
            await self.flush()
        except OCIError as error:
            # The client is gone; it can resume from the offset.
            session = self._claim.session
            log.warning(
                "upload cut short: %s", error, extra={"session": session, "at": self.offset}
            )

    def _close(self) -> None:
        self._submitted = self.offset
        self._account()
        self._file.close()

    def _append_and_hash(self, batch: Sequence[Buffer]) -> None:
        self._file.append(batch)
        self._hash(batch)

    def _hash(self, batch: Sequence[Buffer]) -> None:
        if self._digester is not None:
            for chunk in batch:
                self._digester.update(chunk)

    def _truncate(self, offset: int) -> None:
        self._file.truncate(offset)
        self._digester = None  # it has hashed what is gone

    def _publish(self, digest: Digest, physical: str) -> None:
        actual = self._file_digest(digest.algorithm)
        self._digester = None
        if actual != digest:
            raise DigestMismatch(digest, actual)
        self._file.publish(self._claim.session, physical)

    def _file_digest(self, algorithm: str) -> Digest:
        if self._digester is not None:
            actual = self._digester.digest()
            if actual.algorithm == algorithm:
                return actual
        return hash_file(self._file.fd, algorithm)
