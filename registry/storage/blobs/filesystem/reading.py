"""Files of a store: listed, measured, hashed and read.  Nothing in the root is changed."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Self, TypeVar

from oci.digest import Digest
from registry.errors import StorageUnreadable
from registry.storage.blobs import names as blob_names
from registry.storage.blobs.contract import BlobReader, BlobStat, Pace, StoredFile
from registry.storage.blobs.filesystem.listing import LISTED, files_in
from registry.storage.blobs.filesystem.verify import hash_blob
from registry.storage.disk.regular_file import (
    NotRegular,
    open_cached,
    open_with_status,
    parent_of,
    size_of,
)
from registry.storage.own_thread import in_own_thread

T = TypeVar("T")

WORKERS = 8
CHUNK_BYTES = 256 * 1024


class FilesystemFiles:
    """The StoredFiles of a root that is open; nothing in it is changed, nor made."""

    def __init__(self, directory: int, *, workers: int = WORKERS) -> None:
        self._root = directory
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="blobs")

    @property
    def parts(self) -> int:
        return len(LISTED)

    async def listing(self, part: int) -> AsyncIterator[list[StoredFile]]:
        try:
            yield await self._in_thread(files_in, self._root, LISTED[part])
        except OSError as error:
            raise StorageUnreadable.of(error, what=LISTED[part]) from error

    async def offset(self, session: str) -> int | None:
        return await self._read(self._size, session)

    async def stat(self, physical: str) -> BlobStat | None:
        return await self._read(self._stat, physical)

    async def verify(
        self, physical: str, algorithm: str, pace: Pace | None = None
    ) -> Digest | None:
        if pace is None:
            return await self._read(hash_blob, self._root, physical, algorithm, None)
        try:
            return await in_own_thread(hash_blob, self._root, physical, algorithm, pace)
        except OSError as error:
            raise StorageUnreadable.of(error) from error

    async def reader(self, physical: str, size: int) -> BlobReader | None:
        # A hop to a thread and back takes as long as all the rest of a small GET.
        file = self._open_cached(physical, size)
        if file is None:
            file = await self._open(self._read(self._open_blob, physical, size), close_file)
        return None if file is None else FileReader(file, size, self._executor)

    async def link(self, physical: str, target: Path) -> bool:
        return await in_own_thread(self._link, physical, target)

    async def aclose(self) -> None:
        """Wait for what is being read or written."""
        await asyncio.to_thread(self._executor.shutdown)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

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

    async def _in_thread(self, step: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, step, *arguments)

    async def _read(self, step: Callable[..., T], *arguments: object) -> T:
        """A step that changes nothing, in a worker thread."""
        try:
            return await self._in_thread(step, *arguments)
        except OSError as error:
            raise StorageUnreadable.of(error) from error

    def _size(self, session: str) -> int | None:
        try:
            path = blob_names.upload_path(session)
        except FileNotFoundError:
            return None
        return size_of(path, self._root)

    def _stat(self, physical: str) -> BlobStat | None:
        try:
            with parent_of(blob_names.blob_path(physical), self._root) as (parent, name):
                found = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(found.st_mode):
            return None
        # A write sets both times, and nobody can set the second back.
        return BlobStat(found.st_size, max(found.st_mtime_ns, found.st_ctime_ns) // 1_000_000)

    def _open_cached(self, physical: str, size: int) -> BinaryIO | None:
        """Open the file in the event loop; None if that might block, or it has another size."""
        if not blob_names.is_physical(physical):
            return None
        opened = open_cached(blob_names.blob_path(physical), self._root)
        if opened is None:
            return None
        fd, status = opened
        if status.st_size != size:
            os.close(fd)
            return None
        return open(fd, "rb", buffering=0)

    def _open_blob(self, physical: str, size: int) -> BinaryIO | None:
        try:
            path = blob_names.blob_path(physical)
            fd, status = open_with_status(path, os.O_RDONLY, directory=self._root)
        except (FileNotFoundError, NotRegular):
            return None
        try:
            is_whole = status.st_size == size
            if is_whole:
                # Fail before the response begins: after its head it could only be cut off.
                os.pread(fd, 1, 0)
        except OSError:
            os.close(fd)
            raise
        if not is_whole:
            os.close(fd)
            return None
        return open(fd, "rb", buffering=0)

    def _link(self, physical: str, target: Path) -> bool:
        try:
            path = blob_names.blob_path(physical)
            os.link(path, target, src_dir_fd=self._root, follow_symlinks=False)
        except OSError:
            return False  # another file system, or one without links
        return True


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

    def __init__(self, file: BinaryIO, size: int, executor: ThreadPoolExecutor) -> None:
        self.file = file
        self.size = size
        self._executor = executor

    async def chunks(self, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """The bytes between two offsets, for a server that cannot use sendfile."""
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
