"""FilesystemBlobStore: write to a session's file, sync, rename."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from oci.digest import Digester
from registry.errors import BlobUploadUnknown, StorageFailed
from registry.storage.blobs import names as blob_names
from registry.storage.blobs.filesystem.directories import prepare
from registry.storage.blobs.filesystem.errors import to_storage_error
from registry.storage.blobs.filesystem.file_ops import FileOps
from registry.storage.blobs.filesystem.files import WORKERS, FilesystemFiles
from registry.storage.blobs.filesystem.upload_file import UploadFile
from registry.storage.blobs.filesystem.upload_memory import UploadMemory
from registry.storage.blobs.store import BlobWriter
from registry.storage.disk.regular_file import NotRegular, open_regular, parent_of
from registry.storage.disk.root import Root
from registry.storage.disk.write_guard import WriteGuard

T = TypeVar("T")

log = logging.getLogger(__name__)

# The action in an error message.
REMOVE = "remove a file"
# Hash states kept between two requests of a session.  An evicted one is recomputed from the file.
MAX_DIGESTERS = 1024


class FilesystemBlobStore(FilesystemFiles):
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
        super().__init__(root.directory, workers=workers)
        self._digesters: dict[str, Digester] = {}
        self._memory = memory or UploadMemory()

    async def begin(self, session: str) -> None:
        self._guard.check_free_space()
        await self._run(self._create, session)

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

    async def remove(self, names: Sequence[str]) -> Mapping[str, StorageFailed]:
        return await self._in_thread(self._remove, names)

    async def _run(
        self, step: Callable[..., T], *arguments: object, action: str = "store this"
    ) -> T:
        """Run a writing step in a worker thread; raises StorageFull or StorageFailed."""
        try:
            return await self._in_thread(step, *arguments)
        except OSError as error:
            raise to_storage_error(error, action=action) from error

    def _create(self, session: str) -> None:
        path = blob_names.upload_path(session)
        with parent_of(path, self._root):
            os.close(self._file_ops.create(self._root, path))

    def _open_session(self, session: str) -> int | None:
        try:
            return open_regular(blob_names.upload_path(session), os.O_RDWR, directory=self._root)
        except (FileNotFoundError, NotRegular):
            return None

    def _remove(self, names: Sequence[str]) -> Mapping[str, StorageFailed]:
        failed: dict[str, StorageFailed] = {}
        for name in names:
            try:
                self._unlink(blob_names.listed_path, name)
            except OSError as error:
                failed[name] = StorageFailed(error.strerror or str(error), action=REMOVE)
                self._guard.check_writable()
        return failed

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
