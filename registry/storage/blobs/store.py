"""BlobStore, BlobReader, BlobWriter: the contract.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-blobs
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import BinaryIO, Literal, Protocol

from oci.digest import Digest


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One file of the store: of an upload session, of a blob, or unknown."""

    kind: Literal["upload", "blob", "unknown"]
    name: str
    size: int


class BlobReader(Protocol):
    """An open blob: readable until ``aclose``, even if it is deleted meanwhile."""

    @property
    def size(self) -> int: ...

    @property
    def file(self) -> BinaryIO | None:
        """The open file, for a server that can use sendfile; None if there is none."""
        ...

    def chunks(self, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from ``start`` up to, not including, ``stop``.

        Raises StorageUnreadable at the first byte that cannot be read.
        """
        ...

    async def aclose(self) -> None: ...


class BlobWriter(Protocol):
    """Writes the bytes of one upload session, from where its previous writer stopped.

    A session has one writer at a time.  ``offset`` counts the bytes of this and earlier writers,
    and never more than ``commit`` will hash.
    """

    @property
    def offset(self) -> int: ...

    async def write(self, chunk: bytes) -> None:
        """Accept a chunk; on return it may not be written yet.

        Raises StorageFull or StorageFailed, for this chunk or for one before it.
        """
        ...

    async def flush(self) -> None:
        """Wait until every accepted chunk is written; raises the error of any of them."""
        ...

    async def rewind(self, offset: int) -> None:
        """Truncate the session to ``offset`` bytes."""
        ...

    async def commit(self, digest: Digest) -> str:
        """Make the bytes durable under a new physical name, and return it.

        Afterwards the session has no bytes; ``offset`` still tells their number.
        Raises DigestMismatch, leaving the session as it was, and BlobUploadUnknown if the session
        was discarded meanwhile.
        """
        ...

    async def aclose(self) -> None:
        """Write the accepted chunks if possible, and release the session."""
        ...


class BlobStore(Protocol):
    """Stores immutable blobs, each under a physical name that is never reused.

    While a blob is being written it belongs to one upload session and is invisible to readers.
    ``commit`` moves it, complete and durable, to its physical name; then it never changes.  The
    database maps digests to physical names: the store may have more files than rows name, never
    fewer.

    On a failing disk, methods that only read raise StorageUnreadable, those that write StorageFull
    or StorageFailed.

    Every implementation passes tests/registry/storage/blobs/test_stores.py.
    """

    async def begin(self, session: str) -> None:
        """Create an empty session.  Its row must exist before."""
        ...

    async def offset(self, session: str) -> int | None:
        """The session's size in bytes, or None if the store has no such session."""
        ...

    async def writer(self, session: str, algorithm: str) -> BlobWriter:
        """Open a session for writing, hashing with ``algorithm`` meanwhile.

        Raises BlobUploadUnknown if the store has no such session.
        """
        ...

    async def discard(self, session: str) -> None:
        """Delete a session's bytes; a missing session is no error."""
        ...

    async def open(self, physical: str) -> BlobReader | None:
        """Open a blob for reading; None if it is missing.

        Raises StorageUnreadable also if just its first byte cannot be read.
        """
        ...

    async def stat(self, physical: str) -> int | None:
        """The blob's size in bytes, or None if it is missing."""
        ...

    async def changed_at(self, physical: str) -> int | None:
        """The time of the last possible change, in milliseconds since 1970; None if missing.

        Corruption by the disk itself leaves no time.
        """
        ...

    async def verify(self, physical: str, algorithm: str) -> Digest | None:
        """The digest of the blob's bytes as read now, or None if it is missing."""
        ...

    async def remove(self, physical: str) -> None:
        """Remove a blob that no row names; a missing one is no error."""
        ...

    def listings(self) -> AsyncIterator[list[StoredFile]]:
        """Every file, one directory at a time; each list is a complete snapshot.

        A directory that cannot be listed is logged and left out.

        An ``unknown`` file has a name that this store never gives.
        """
        ...

    async def aclose(self) -> None:
        """Close the store.  Every reader and writer must be closed before."""
        ...
