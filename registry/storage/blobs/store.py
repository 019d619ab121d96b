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
    """One file of the store: a session's while it is being written, then a blob's."""

    kind: Literal["upload", "blob", "unknown"]
    name: str
    size: int


class BlobReader(Protocol):
    """A blob held open: it stays readable, whatever is deleted meanwhile, until ``aclose``."""

    @property
    def size(self) -> int: ...

    @property
    def file(self) -> BinaryIO | None:
        """The open file, for a server that can send it without reading; None if there is none."""
        ...

    def chunks(self, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from ``start`` up to, not including, ``stop``.

        Raises StorageUnreadable at the first that the disk does not give.
        """
        ...

    async def aclose(self) -> None: ...


class BlobWriter(Protocol):
    """The bytes of one upload session, from where its previous writer stopped.

    A session has one writer at a time.  ``offset`` counts what has been written here or by
    earlier writers, and never more than what ``commit`` will hash.
    """

    @property
    def offset(self) -> int: ...

    async def write(self, chunk: bytes) -> None:
        """Take a chunk; it may still be on its way when this returns.

        Raises StorageFull or StorageFailed, for this chunk or for one before it.
        """
        ...

    async def flush(self) -> None:
        """Wait until everything taken is written, and raise what went wrong with it."""
        ...

    async def rewind(self, offset: int) -> None:
        """Forget everything after ``offset``."""
        ...

    async def commit(self, digest: Digest) -> str:
        """Make the bytes durable under a physical name that was never used before; return it.

        From then on the session has no bytes; ``offset`` still says how many they were.
        Raises DigestMismatch, with the session as it was, if they are not the digest's, and
        BlobUploadUnknown if the session was discarded meanwhile.
        """
        ...

    async def aclose(self) -> None:
        """Write what was taken, as far as that can be done, and let go of the session."""
        ...


class BlobStore(Protocol):
    """Immutable bytes, each kept under a physical name that is never used twice.

    A blob's life has two halves.  While it is being written it belongs to one upload session
    and no reader can see it.  ``commit`` moves it, whole and durable, to its physical name;
    from then on it never changes.  Which physical name a digest has is for the database to
    say: the store may hold more than rows name, never less.

    What only reads raises StorageUnreadable where the disk fails under it; what writes raises
    StorageFull or StorageFailed.

    Every implementation passes tests/registry/storage/blobs/test_stores.py.
    """

    async def begin(self, session: str) -> None:
        """Give a new session its empty place.  Its row must exist before."""
        ...

    async def offset(self, session: str) -> int | None:
        """How many bytes the session has, or None if the store knows no such session."""
        ...

    async def writer(self, session: str, algorithm: str) -> BlobWriter:
        """Write to a session, hashing with ``algorithm`` on the way.

        Raises BlobUploadUnknown if the store knows no such session.
        """
        ...

    async def discard(self, session: str) -> None:
        """Drop a session's bytes.  Dropping what is not there is not an error."""
        ...

    async def open(self, physical: str) -> BlobReader | None:
        """Hold a blob open for reading, or None if it is not there.

        Raises StorageUnreadable also where only its first byte cannot be read.
        """
        ...

    async def stat(self, physical: str) -> int | None:
        """The blob's size in bytes, or None if it is not there."""
        ...

    async def changed_at(self, physical: str) -> int | None:
        """When the bytes may last have changed, in milliseconds since 1970; None as ``stat``.

        As far as the store can tell: damage that the disk itself does leaves no time.
        """
        ...

    async def verify(self, physical: str, algorithm: str) -> Digest | None:
        """The digest of the blob's bytes as they can be read now, or None if it is not there."""
        ...

    async def remove(self, physical: str) -> None:
        """Remove a blob that no row names.  Removing what is not there is not an error."""
        ...

    def listings(self) -> AsyncIterator[list[StoredFile]]:
        """Every file there is, some at a time; each list is of one moment, and complete.

        What cannot be listed is logged, and its files are missing.

        A ``unknown`` has a name that this store never gives.
        """
        ...

    async def aclose(self) -> None:
        """Let go of the store.  Every reader and writer must be closed before."""
        ...
