"""FilesystemBlobStore: write to a session's file, sync, rename."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, BinaryIO, TypeVar

from oci.digest import Digest, Digester
from registry.errors import BlobUploadUnknown, StorageUnreadable
from registry.storage.blobs import names as blob_names
from registry.storage.blobs.filesystem.directories import prepare
from registry.storage.blobs.filesystem.errors import to_storage_error
from registry.storage.blobs.filesystem.file_ops import FileOps
from registry.storage.blobs.filesystem.listing import LISTED, files_in
from registry.storage.blobs.filesystem.upload_file import UploadFile, hash_file
from registry.storage.blobs.filesystem.upload_memory import UploadMemory
from registry.storage.blobs.store import BlobReader, BlobWriter, StoredFile
from registry.storage.disk.regular_file import NotRegular, open_regular, parent_of, size_of
from registry.storage.disk.root import Root
from registry.storage.disk.write_guard import WriteGuard

T = TypeVar("T")

log = logging.getLogger(__name__)

WORKERS = 8
# The action in an error message.
REMOVE = "remove a file"
CHUNK_BYTES = 256 * 1024
# Hash states kept between two requests of a session.  An evicted one is recomputed from the file.
MAX_DIGESTERS = 1024


class FilesystemBlobStore:
    """A BlobStore of plain files under one root.

    Raises StartupError where its directories cannot be made.
    """

    def __init__(
        self,
        root: Root,
        file_ops: FileOps | None = None,
        guard: WriteGuard | None = None,
        *,
        workers: int = WORKERS,
        memory: UploadMemory | None = None,
    ) -> None:
        self._guard = guard or WriteGuard()
        self._file_ops = file_ops or FileOps(self._guard.on_disk_error)
        prepare(self._file_ops, root.directory)
        self._root = root.directory
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="blobs")
        self._digesters: dict[str, Digester] = {}
        self._memory = memory or UploadMemory()

    async def begin(self, session: str) -> None:
        self._guard.check_free_space()
        await self._run(self._create, session)

    async def offset(self, session: str) -> int | None:
        return await self._read(self._size, blob_names.upload_path, session)

    async def writer(self, session: str, algorithm: str) -> BlobWriter:
        self._guard.check_writable()
        fd = await self._open(self._run(self._open_session, session), os.close)
        if fd is None:
            raise BlobUploadUnknown(session)
        digester = self._take_digester(session, algorithm, os.fstat(fd).st_size)
        keep = partial(self._keep_digester, session)
        return UploadFile(
            self._executor,
            self._file_ops,
            self._guard,
            self._root,
            session,
            fd,
            digester,
            keep,
            self._memory,
        )

    async def discard(self, session: str) -> None:
        self._digesters.pop(session, None)
        await self._run(self._unlink, blob_names.upload_path, session, action=REMOVE)

    async def open(self, physical: str) -> BlobReader | None:
        file = await self._open(self._read(self._open_blob, physical), close_file)
        return None if file is None else FileReader(file, self._executor)

    async def stat(self, physical: str) -> int | None:
        return await self._read(self._size, blob_names.blob_path, physical)

    async def changed_at(self, physical: str) -> int | None:
        return await self._read(self._changed_at, physical)

    async def verify(self, physical: str, algorithm: str) -> Digest | None:
        return await self._read(self._hash_blob, physical, algorithm)

    async def remove(self, physical: str) -> None:
        await self._run(self._unlink, blob_names.blob_path, physical, action=REMOVE)

    async def listings(self) -> AsyncIterator[list[StoredFile]]:
        for directory in LISTED:
            try:
                listed = await self._read(files_in, self._root, directory)
            except StorageUnreadable as error:
                log.error(
                    "a directory of the store cannot be listed",
                    extra={"directory": directory, "reason": error.reason},
                )
            else:
                yield listed

    async def aclose(self) -> None:
        """Wait for writes in progress.  Every writer must be closed before."""
        await asyncio.to_thread(self._executor.shutdown)

    async def _open(
        self, step: Coroutine[Any, Any, T | None], close: Callable[[T], object]
    ) -> T | None:
        """Run a step that opens a file; if cancelled, close the file once it is open."""
        opening = asyncio.ensure_future(step)
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(partial(close_when_opened, close))
            raise

    async def _run(
        self, step: Callable[..., T], *arguments: object, action: str = "store this"
    ) -> T:
        """Run a writing step in a worker thread; raises StorageFull or StorageFailed."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._executor, step, *arguments)
        except OSError as error:
            raise to_storage_error(error, action=action) from error

    async def _read(self, step: Callable[..., T], *arguments: object) -> T:
        """Run a reading step in a worker thread; raises StorageUnreadable."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._executor, step, *arguments)
        except OSError as error:
            raise StorageUnreadable.of(error) from error

    def _create(self, session: str) -> None:
        path = blob_names.upload_path(session)
        with parent_of(path, self._root):
            os.close(self._file_ops.create(self._root, path))

    def _open_session(self, session: str) -> int | None:
        try:
            return open_regular(blob_names.upload_path(session), os.O_RDWR, directory=self._root)
        except (FileNotFoundError, NotRegular):
            return None

    def _open_blob(self, physical: str) -> BinaryIO | None:
        try:
            fd = open_regular(blob_names.blob_path(physical), os.O_RDONLY, directory=self._root)
        except (FileNotFoundError, NotRegular):
            return None
        try:
            # Fail before the response begins: after its head it could only be cut off.
            os.pread(fd, 1, 0)
        except OSError:
            os.close(fd)
            raise
        return open(fd, "rb", buffering=0)

    def _size(self, path_of: Callable[[str], str], name: str) -> int | None:
        try:
            path = path_of(name)
        except FileNotFoundError:
            return None
        return size_of(path, self._root)

    def _changed_at(self, physical: str) -> int | None:
        try:
            path = blob_names.blob_path(physical)
            found = os.stat(path, dir_fd=self._root, follow_symlinks=False)
        except FileNotFoundError:
            return None
        # A write sets both times, and no call can set ctime back.
        return max(found.st_mtime_ns, found.st_ctime_ns) // 1_000_000

    def _hash_blob(self, physical: str, algorithm: str) -> Digest | None:
        try:
            fd = open_regular(blob_names.blob_path(physical), os.O_RDONLY, directory=self._root)
        except (FileNotFoundError, NotRegular):
            return None
        try:
            return hash_file(fd, algorithm)
        finally:
            os.close(fd)

    def _unlink(self, path_of: Callable[[str], str], name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._file_ops.unlink(self._root, path_of(name))

    def _take_digester(self, session: str, algorithm: str, size: int) -> Digester | None:
        """The kept hash state of the session's file, or None if the file must be read again."""
        kept = self._digesters.pop(session, None)
        if kept is not None and kept.size == size:
            return kept
        return Digester(algorithm) if size == 0 else None

    def _keep_digester(self, session: str, digester: Digester) -> None:
        self._digesters[session] = digester
        while len(self._digesters) > MAX_DIGESTERS:
            del self._digesters[next(iter(self._digesters))]


def close_when_opened(close: Callable[[T], object], opening: asyncio.Future[T | None]) -> None:
    if opening.cancelled() or opening.exception() is not None:
        return
    opened = opening.result()
    if opened is not None:
        close(opened)


def close_file(file: BinaryIO) -> None:
    file.close()


class FileReader:
    """A BlobReader of an open file, which sendfile can send or a thread can read."""

    def __init__(self, file: BinaryIO, executor: ThreadPoolExecutor) -> None:
        self.file = file
        self.size = os.fstat(file.fileno()).st_size
        self._executor = executor

    async def chunks(self, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """Hot path where the server cannot use sendfile."""
        loop = asyncio.get_running_loop()
        stop = self.size if stop is None else min(stop, self.size)
        while start < stop:
            length = min(CHUNK_BYTES, stop - start)
            fd = self.file.fileno()
            try:
                chunk = await loop.run_in_executor(self._executor, os.pread, fd, length, start)
            except OSError as error:
                raise StorageUnreadable.of(error) from error
            if not chunk:
                raise StorageUnreadable(f"the file ended at byte {start}, expected {stop}")
            start += len(chunk)
            yield chunk

    async def aclose(self) -> None:
        self.file.close()
