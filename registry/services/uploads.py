"""Uploads: start, append to, commit, cancel a session; mount a blob.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-blobs
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from oci.digest import LENGTHS, Digest, InvalidDigest
from oci.errors import OCIError
from oci.reference import RepositoryName
from registry.errors import (
    BlobUploadUnknown,
    CommitUnknown,
    RangeInvalid,
    SizeInvalid,
    StorageFailed,
    StorageUnreadable,
    TooManyRequests,
)
from registry.services.blob_commit import commit_blob
from registry.services.context import RepositoryContext
from registry.services.edge_links import link_rest
from registry.storage.blobs.contract import BlobWriter
from registry.storage.blobs.names import is_session
from registry.storage.blobs.waiting import run_shielded
from registry.storage.database.contract import Connection
from registry.storage.metadata import audit, blobs, repositories, uploads
from registry.storage.metadata.blobs import StoredBlob
from registry.storage.metadata.uploads import Counts, StoredUpload

MayPull = Callable[[RepositoryName], Awaitable[bool]]

SOURCES_PER_BATCH = 100
# Candidates for a mount without a source; if none is found, the client uploads the blob.
MAX_SOURCES = 1000


@dataclass(frozen=True, slots=True)
class UploadSession:
    """An upload session, with ``offset`` bytes received."""

    id: str
    offset: int


class Source(Protocol):
    """A repository that the caller may pull from, to mount a blob."""

    @property
    def name(self) -> RepositoryName: ...


@dataclass(frozen=True, slots=True)
class Uploads:
    """The upload sessions of one repository.

    A session outlives requests and restarts.  Requests to one session run one at a time.
    """

    _context: RepositoryContext

    async def start(self, algorithm: str = "sha256") -> UploadSession:
        """Begin a session; ``algorithm`` is the expected one of its digest."""
        if algorithm not in LENGTHS:
            raise InvalidDigest(
                f"digest algorithm {algorithm[:32]!r}, expected one of {', '.join(LENGTHS)}"
            )
        session = str(uuid.uuid4())
        await run_shielded(self._begin(session, algorithm))
        return UploadSession(session, 0)

    async def status(self, session: str) -> UploadSession:
        """The session's offset; raises BlobUploadUnknown."""
        await self._find(session)
        offset = await self._context.state.received(session)
        if offset is None:
            raise BlobUploadUnknown(session)
        return UploadSession(session, offset)

    async def append(
        self, session: str, body: AsyncIterator[bytes], *, start: int | None, length: int | None
    ) -> UploadSession:
        """Append a chunk that begins at ``start`` and has ``length`` bytes, if those are known.

        Raises RangeInvalid if ``start`` is not the session's offset, SizeInvalid if the body has
        another length: then nothing of it is kept.  If the client disconnects, the received bytes
        are kept.
        """
        async with self._open_writer(session, start) as writer:
            await receive(writer, body, length)
            return UploadSession(session, writer.offset)

    async def commit(
        self,
        session: str,
        digest: Digest,
        body: AsyncIterator[bytes],
        *,
        start: int | None,
        length: int | None,
    ) -> None:
        """Append the last chunk, which may be empty, and commit the session as a blob.

        On return the blob is durable.  A repeated commit succeeds.  DigestMismatch ends the
        session; errors of ``append`` leave it open.
        """
        try:
            async with self._open_writer(session, start) as writer:
                await receive(writer, body, length)
                await run_shielded(self._finish(writer, session, digest))
        except BlobUploadUnknown:
            # The response to an earlier, equal request may have been lost.
            if not await self._is_committed(session, digest):
                raise

    async def push(self, digest: Digest, body: AsyncIterator[bytes], *, length: int | None) -> None:
        """Push a whole blob in one request; a failure leaves no session behind."""
        session = await self.start(digest.algorithm)
        try:
            await self.commit(session.id, digest, body, start=None, length=length)
        except CommitUnknown:
            raise  # it may have become one, and needs its bytes then
        except BaseException:
            with contextlib.suppress(OCIError):
                await run_shielded(self.cancel(session.id))
            raise

    async def cancel(self, session: str) -> None:
        """End the session and delete its bytes; raises BlobUploadUnknown.

        Of a concurrent ``cancel`` and ``commit``, the one that deletes the session's row first
        succeeds.
        """
        await self._find(session)
        if not await run_shielded(self._end(session)):
            raise BlobUploadUnknown(session)

    async def mount(
        self, digest: Digest, source: Source | None, *, readable: MayPull | None = None
    ) -> bool:
        """Make a blob of another repository a member of this one; False if that lacks the blob.

        Without a source, any repository that is ``readable`` to the caller is used, of the first
        MAX_SOURCES that have the blob.
        """
        context = self._context
        name = await self._find_source(digest, readable) if source is None else source.name

        def unit(connection: Connection) -> bool:
            if name is None or blobs.find_member(connection, name, digest) is None:
                return False
            change = context.begin_change(connection)
            repository = repositories.ensure(connection, change, context.name)
            blobs.add_member(connection, change, repository, digest, None)
            audit.append(connection, change, "blob.mount", str(context.name), str(digest))
            return True

        stored = await context.database.look(blobs.BY_DIGEST, digest)
        if stored is None:
            return False
        found = await context.store.stat(stored.physical)
        if found is None or found.size != stored.size:
            return False
        is_mounted = await context.database.write(unit, on=context.name)
        if is_mounted:
            await link_rest(context.database, context.name, digest)
        return is_mounted

    async def _find_source(self, digest: Digest, readable: MayPull | None) -> RepositoryName | None:
        """A readable repository that has the blob; searched without the write lock."""
        last = ""
        for _ in range(0, MAX_SOURCES, SOURCES_PER_BATCH):
            find = partial(
                blobs.repositories_with, digest=digest, last=last, limit=SOURCES_PER_BATCH
            )
            names = await self._context.database.read(find)
            for name in names:
                if readable is None or await readable(name):
                    return name
            if len(names) < SOURCES_PER_BATCH:
                break
            last = str(names[-1])
        return None

    async def _begin(self, session: str, algorithm: str) -> None:
        context = self._context

        def unit(connection: Connection) -> None:
            change = context.begin_change(connection)
            address = context.caller.address
            check_limits(context, uploads.count(connection, change.identity, address))
            uploads.add(connection, change, context.name, session, algorithm, address)

        context.state.sessions.touch(session)
        try:
            # The row before the file: a file without a row would be swept as an orphan.
            await context.database.write(unit, on=context.name, grows=True)
        except BaseException:
            context.state.sessions.evict(session)
            raise
        try:
            await context.store.begin(session)
        except OCIError:
            await self._abandon(session)
            raise

    async def _find(self, session: str) -> StoredUpload:
        """The session's row; raises BlobUploadUnknown.

        Another repository's session, and another identity's, are as unknown as none (rule AZ-7).
        """
        found = None
        if is_session(session):
            found = await self._context.database.look(uploads.FIND, session, self._context.name)
        if found is None or found.identity != self._context.identity:
            raise BlobUploadUnknown(session)
        return found

    async def _is_committed(self, session: str, digest: Digest) -> bool:
        """Whether this session was committed as this blob."""
        name = self._context.name
        if await self._context.database.look(blobs.SESSION, name, digest) == session:
            return True
        here = await self._context.database.look(blobs.MEMBER, name, digest)
        return here is not None and self._context.state.committed.has(session, name, digest)

    @contextlib.asynccontextmanager
    async def _open_writer(self, session: str, start: int | None) -> AsyncIterator[BlobWriter]:
        """Claim the session and write it; at the end its progress is recorded, whatever happened.

        Raises BlobUploadUnknown also at the end, if the claim was lost or the session has ended.
        """
        state = self._context.state
        async with state.sessions.lock(session):
            upload = await self._find(session)
            claim = await state.sessions.claim(session, upload.algorithm)
            upload = await self._touch(upload)
            writer = await self._context.store.writer(claim, state.sessions.record)
            try:
                if start is not None and start != writer.offset:
                    raise RangeInvalid(start, session=session, offset=writer.offset)
                yield writer
            except BaseException as error:
                with contextlib.suppress(OCIError):  # it must not hide the first
                    await self._release(writer, upload)
                if isinstance(error, StorageFailed | StorageUnreadable):
                    # The written bytes are unknown, so the session cannot be resumed.
                    await self._abandon(session)
                raise
            await self._release(writer, upload)

    async def _release(self, writer: BlobWriter, upload: StoredUpload) -> None:
        try:
            await writer.release()
        finally:
            with contextlib.suppress(OCIError):
                await self._touch(upload)

    async def _touch(self, upload: StoredUpload) -> StoredUpload:
        """Record the time of a request, durably if the recorded one is old.

        Most sessions end before that needs a commit.
        """
        context, session = self._context, upload.id
        if not context.state.sessions.is_known(session):
            return upload  # it has ended meanwhile
        context.state.sessions.touch(session)
        now = context.state.clock.wall_ms()
        if 0 <= now - upload.touched_at < context.state.limits.touch_ms:
            return upload
        await context.database.write(
            lambda connection: uploads.touch(connection, context.begin_change(connection), session),
            on=context.name,
        )
        return replace(upload, touched_at=now)

    async def _finish(self, writer: BlobWriter, session: str, digest: Digest) -> None:
        try:
            stored = await writer.commit(digest)
        except BlobUploadUnknown:
            raise  # the session has ended, or is a later request's
        except OCIError:
            await self._abandon(session)
            raise
        new = StoredBlob(stored.size, stored.physical)
        try:
            await commit_blob(self._context, session, digest, new)
        finally:
            self._context.state.sessions.evict(session)  # it has no bytes any more
        self._context.state.committed.add(session, self._context.name, digest)

    async def _abandon(self, session: str) -> None:
        """End a failed session; a further error must not hide the first."""
        with contextlib.suppress(OCIError):
            await self._end(session)

    async def _end(self, session: str) -> bool:
        """Delete the session's row and bytes; False if it has ended or been committed."""
        state, name = self._context.state, self._context.name
        try:
            ended = await state.database.write(
                lambda connection: uploads.end(connection, name, session), on=name
            )
        except CommitUnknown:
            raise  # the row may stay, and with it the session
        except BaseException:
            await state.discard(session)
            raise
        await state.discard(session)
        return ended


def check_limits(context: RepositoryContext, counts: Counts) -> None:
    """Raise TooManyRequests if one more session would exceed a limit."""
    limits, caller = context.state.limits, context.caller
    bounds = []
    if not caller.is_anonymous:
        bounds.append((context.identity, counts.identity, limits.max_per_identity))
    if caller.address:
        bounds.append((caller.address, counts.address, limits.max_per_address))
    for whose, found, most in bounds:
        if found >= most:
            raise TooManyRequests(
                f"{whose} has {found} uploads open, expected at most {most}: "
                "finish or cancel some, or try again later"
            )
    if counts.total >= limits.max_total:
        raise TooManyRequests(
            f"{counts.total} uploads are open, expected at most {limits.max_total}: try again later"
        )


async def receive(writer: BlobWriter, body: AsyncIterator[bytes], length: int | None) -> None:
    """Pass the body to the writer chunk by chunk, and check its length.

    Hot path: put.
    """
    start = writer.offset
    async for chunk in body:
        await writer.write(chunk)
        if length is not None and writer.offset - start > length:
            break
    await writer.flush()
    received = writer.offset - start
    if length is not None and received != length:
        await writer.rewind(start)
        raise SizeInvalid(received, expected=length)
