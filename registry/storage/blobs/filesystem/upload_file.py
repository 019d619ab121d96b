"""UploadFile: chunks of a session buffered into batches, which threads hash and write.

One worker hashes a batch while another writes it and the event loop fills the next one; an upload
holds two batches at most, however large the blob.

The bytes of a session, by offset in its file:

    0       _written_back     _written       _submitted          offset
    |-------------|---------------|---------------|-----------------|
      writeback      in the file    in a batch,     buffered in
      is started                    for threads     _chunks

Between steps, ``_written_back <= _written <= _submitted <= offset``:

- ``offset``: taken from the client.  ``write`` moves it, on the event loop.
- ``_submitted``: handed to threads in batches.  ``_submit`` moves it, on the event loop.
- ``_written``: in the file.  ``_append`` moves it, in a thread.
- ``_written_back``: where the next writeback begins.  ``_write_cached`` moves it, in a thread;
  direct writes need no writeback.

After ``flush``, the last three are equal.  If a batch fails, the last two fall back to
``_written``; ``rewind`` moves all of them back.  ``_accounted`` is no offset: it is the part of
``offset - _submitted`` that UploadMemory was told of.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Any

from oci.digest import Digest, Digester, DigestMismatch
from oci.errors import OCIError
from registry.errors import BlobUploadUnknown, ClaimLost
from registry.storage.blobs import names as blob_names
from registry.storage.blobs.claims import Claim, Progress, Record
from registry.storage.blobs.contract import Stored
from registry.storage.blobs.filesystem import writeback
from registry.storage.blobs.filesystem.direct_io import BLOCK_BYTES, DirectFile
from registry.storage.blobs.filesystem.errors import to_storage_error
from registry.storage.blobs.filesystem.file_ops import Buffer, FileOps
from registry.storage.blobs.filesystem.upload_memory import UploadMemory
from registry.storage.blobs.filesystem.verify import hash_file
from registry.storage.blobs.waiting import run_shielded
from registry.storage.disk.regular_file import parent_of
from registry.storage.disk.write_guard import WriteGuard

log = logging.getLogger(__name__)

BYTES_PER_BATCH = 1024 * 1024
# A batch is full once a chunk makes it at least BYTES_PER_BATCH; chunks are no longer than that.
MAX_BYTES_PER_BATCH = 2 * BYTES_PER_BATCH
# Chunks may be tiny; pwritev takes at most 1,024 buffers (IOV_MAX).
CHUNKS_PER_BATCH = 1024
# Above this, hashing in a second worker is faster although it must be woken.
HASH_APART_BYTES = 256 * 1024
# Start writeback this often: the fsync after 1 GiB then takes 0.00 s instead of 0.3 to 0.4.
WRITEBACK_BYTES = 8 * 1024 * 1024

# Called with the file's hash state when the writer has released its session.
KeepDigester = Callable[[Progress, Digester], None]


class UploadFile:
    """The BlobWriter of FilesystemBlobStore; see there for the contract of its methods."""

    def __init__(
        self,
        executor: Executor,
        file_ops: FileOps,
        guard: WriteGuard,
        root: int,
        claim: Claim,
        record: Record,
        fd: int,
        offset: int,
        digester: Digester | None,
        keep: KeepDigester,
        memory: UploadMemory,
    ) -> None:
        self._executor = executor
        self._file_ops = file_ops
        self._guard = guard
        self._root = root
        self._claim = claim
        self._record = record
        self._fd = fd
        self._digester = digester
        self._keep = keep
        self._memory = memory
        self._accounted = 0
        self._is_open = True
        self._is_committed = False
        self._written = offset
        self._written_back = self._written
        self._direct: DirectFile | None = None
        self._may_be_direct = True
        self._chunks: list[Buffer] = []
        self._jobs: list[asyncio.Future[Any]] = []
        self._submitted = offset  # the file offset of the first buffered byte
        self.offset = offset

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
        steps: list[Callable[[Sequence[Buffer]], None]] = [self._append, self._hash]
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
        self.offset = self._submitted = self._written
        self._account()
        if self._digester is not None and self._digester.size != self._written:
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
        if self._direct is not None:
            self._direct.close()
            self._memory.release_direct()
        os.close(self._fd)

    def _append_and_hash(self, batch: Sequence[Buffer]) -> None:
        self._append(batch)
        self._hash(batch)

    def _hash(self, batch: Sequence[Buffer]) -> None:
        if self._digester is not None:
            for chunk in batch:
                self._digester.update(chunk)

    def _append(self, batch: Sequence[Buffer]) -> None:
        self._guard.check_free_space()
        try:
            self._written += self._write_directly(batch) or self._write_cached(batch)
        except OSError:
            self._file_ops.truncate(self._fd, self._written)
            raise

    def _write_directly(self, batch: Sequence[Buffer]) -> int | None:
        """Write a full batch of whole blocks with O_DIRECT; None if that is not possible."""
        length = sum(map(len, batch))
        if not self._may_be_direct or length < BYTES_PER_BATCH - BLOCK_BYTES:
            return None
        if length % BLOCK_BYTES or self._written % BLOCK_BYTES or length > MAX_BYTES_PER_BATCH:
            return None
        if self._direct is None and not self._open_directly():
            return None
        assert self._direct is not None
        written = self._direct.write(self._file_ops, batch, self._written)
        self._may_be_direct = written is not None
        return written

    def _open_directly(self) -> bool:
        """Whether the file is open for direct writes; a later batch may try again."""
        if not self._memory.acquire_direct():
            return False
        self._direct = DirectFile.open(self._fd, MAX_BYTES_PER_BATCH)
        if self._direct is None:
            self._memory.release_direct()
            self._may_be_direct = False
        return self._direct is not None

    def _write_cached(self, batch: Sequence[Buffer]) -> int:
        written = self._file_ops.write(self._fd, batch, self._written)
        end = self._written + written
        dirty = end - self._written_back
        if dirty >= WRITEBACK_BYTES:
            writeback.start(self._fd, self._written_back, dirty)
            self._written_back = end
        return written

    def _truncate(self, offset: int) -> None:
        self._file_ops.truncate(self._fd, offset)
        self._written = offset
        self._written_back = min(self._written_back, offset)
        self._digester = None  # it has hashed what is gone

    def _publish(self, digest: Digest, physical: str) -> None:
        actual = self._file_digest(digest.algorithm)
        self._digester = None
        if actual != digest:
            raise DigestMismatch(digest, actual)
        self._file_ops.sync(self._fd)
        self._file_ops.seal(self._fd)
        self._rename(physical)
        # Without this, a crash can undo the rename after it was acknowledged.
        self._file_ops.sync_directory(self._root, blob_names.blob_directory(physical))

    def _rename(self, physical: str) -> None:
        session = self._claim.session
        source, target = blob_names.upload_path(session), blob_names.blob_path(physical)
        try:
            self._file_ops.rename(self._root, source, target)
        except FileNotFoundError:
            for path in (source, target):
                with parent_of(path, self._root):
                    pass  # raises where it is the directory that is missing
            # The session was cancelled meanwhile.
            raise BlobUploadUnknown(session) from None
        if not os.path.samestat(os.fstat(self._fd), os.stat(target, dir_fd=self._root)):
            # A newer claim has a file of its own there; these bytes have no name any more.
            self._file_ops.rename(self._root, target, source)
            raise ClaimLost(session)

    def _file_digest(self, algorithm: str) -> Digest:
        if self._digester is not None:
            actual = self._digester.digest()
            if actual.algorithm == algorithm:
                return actual
        return hash_file(self._fd, algorithm)
