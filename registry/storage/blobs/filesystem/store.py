"""FilesystemBlobStore: write to a session's file, sync, rename."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from oci.digest import Digester
from registry.errors import BlobUploadUnknown, StorageFailed
from registry.storage.blobs import names as blob_names
from registry.storage.blobs.claims import Claim, Progress, Record
from registry.storage.blobs.contract import BlobWriter
from registry.storage.blobs.filesystem.append_file import AppendFile
from registry.storage.blobs.filesystem.directories import prepare
from registry.storage.blobs.filesystem.errors import to_storage_error
from registry.storage.blobs.filesystem.file_ops import FileOps, Syscalls
from registry.storage.blobs.filesystem.opened_session import (
    OpenedSession,
    create_session,
    keep_first,
    open_session,
)
from registry.storage.blobs.filesystem.reading import WORKERS, FilesystemFiles
from registry.storage.blobs.filesystem.upload_file import UploadFile
from registry.storage.blobs.filesystem.upload_memory import UploadMemory
from registry.storage.disk.root import Root
from registry.storage.guard import DiskGuard

T = TypeVar("T")

# The action in an error message.
REMOVE = "remove a file"
# Hash states kept between two requests of a session.  An evicted one is recomputed from the file.
MAX_DIGESTERS = 1024


class KeptDigester(NamedTuple):
    """The hash state of a session's first bytes, at the progress with which it was released."""

    progress: Progress
    digester: Digester


class FilesystemBlobStore(FilesystemFiles):
    """A BlobStore of plain files under one root.

    Raises StartupError where its directories cannot be made.
    """

    def __init__(
        self,
        root: Root,
        guard: DiskGuard,
        *,
        system: Syscalls = os,
        workers: int = WORKERS,
        memory: UploadMemory | None = None,
    ) -> None:
        self._guard = guard
        self._file_ops = FileOps(guard.on_disk_error, system)
        prepare(self._file_ops, root.directory)
        super().__init__(root.directory, workers=workers)
        self._digesters: dict[str, KeptDigester] = {}
        self._memory = memory or UploadMemory()

    async def begin(self, session: str) -> None:
        self._guard.check_free_space()
        await self._run(create_session, self._file_ops, self._root, session)

    async def writer(self, claim: Claim, record: Record) -> BlobWriter:
        self._guard.check_writable()
        opening = self._run(open_session, self._root, claim.session)
        opened = await self._open(opening, close_session)
        if opened is None:
            raise BlobUploadUnknown(claim.session)
        fd, offset = opened.fd, opened.size
        if claim.progress is not None:
            offset = min(offset, claim.progress.offset)
        if offset < opened.size or not opened.is_alone:
            kept = await self._open(self._keep_first(opened, claim, offset, record), os.close)
            assert kept is not None
            fd = kept
        file = AppendFile(self._file_ops, self._guard, self._root, fd, offset, self._memory)
        return UploadFile(
            self._executor,
            file,
            claim,
            record,
            self._take_digester(claim, offset),
            self._keep_digester,
            self._memory,
        )

    async def discard(self, progress: Progress) -> None:
        self._digesters.pop(progress.session, None)
        await self._run(self._unlink, blob_names.upload_path, progress.session, action=REMOVE)

    async def remove(self, names: Sequence[str]) -> Mapping[str, StorageFailed]:
        return await self._in_thread(self._remove, names)

    async def _keep_first(
        self, opened: OpenedSession, claim: Claim, offset: int, record: Record
    ) -> int:
        try:
            # Before anything is lost: this may be the older claim.
            await record(Progress(claim.session, offset, claim.token))
            return await self._run(
                keep_first, self._file_ops, self._root, claim.session, opened, offset
            )
        except BaseException:
            os.close(opened.fd)
            raise

    async def _run(
        self, step: Callable[..., T], *arguments: object, action: str = "store this"
    ) -> T:
        """Run a writing step in a worker thread; raises StorageFull or StorageFailed."""
        try:
            return await self._in_thread(step, *arguments)
        except OSError as error:
            raise to_storage_error(error, action=action) from error

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

    def _take_digester(self, claim: Claim, offset: int) -> Digester | None:
        """The kept hash state of the session's bytes, or None if they must be read again.

        It counts for the very progress it was kept with: another store's writer may have put
        other bytes in the same places, as many of them.
        """
        kept = self._digesters.pop(claim.session, None)
        if kept is not None and kept.progress == claim.progress and kept.progress.offset == offset:
            return kept.digester
        return Digester(claim.algorithm) if offset == 0 else None

    def _keep_digester(self, progress: Progress, digester: Digester) -> None:
        self._digesters[progress.session] = KeptDigester(progress, digester)
        while len(self._digesters) > MAX_DIGESTERS:
            del self._digesters[next(iter(self._digesters))]


def close_session(opened: OpenedSession) -> None:
    os.close(opened.fd)
