"""BlobStore, BlobReader, BlobWriter: the contract.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-blobs
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, Protocol

from oci.digest import Digest
from registry.errors import StorageFailed

# The most files that one call of ``remove`` takes.
FILES_PER_REMOVAL = 1000

Pace = Callable[[int], None]
"""Told after each read how many bytes it was; may wait, and may raise to end the reading."""


def unpaced(_count: int) -> None:
    """For a reader that need not wait."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One file of the store: a session's while it is being written, then a blob's.

    A ``misnamed`` one is in the place of one of these, under a name that the store never gives;
    an ``unknown`` is anything else that is found there, and is never removed.
    """

    kind: Literal["upload", "blob", "misnamed", "unknown"]
    name: str
    """A blob's physical name, or what else ``remove`` takes to remove it."""
    size: int
    path: str
    """Its path, for people; also the name of a file that is misnamed or unknown."""


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


class StoredFiles(Protocol):
    """A store as a check reads it: of a registry that runs, or of one that is stopped.

    Everything raises StorageUnreadable where the disk fails under it.
    """

    @property
    def parts(self) -> int:
        """How many parts a listing has."""
        ...

    def listing(self, part: int) -> AsyncIterator[list[StoredFile]]:
        """The files of one part, from 0, some at a time.

        Each was there at some moment before it is yielded, so that whoever asks the rows *after*
        it misses no row that came before the file.
        """
        ...

    async def offset(self, session: str) -> int | None:
        """The session's size in bytes, or None if the store has no such session."""
        ...

    async def stat(self, physical: str) -> int | None:
        """The blob's size in bytes, or None if it is missing."""
        ...

    async def verify(
        self, physical: str, algorithm: str, pace: Pace | None = None
    ) -> Digest | None:
        """The digest of the blob's bytes as they can be read now, or None if it is not there.

        With a ``pace`` they are read for long: from the medium itself, whatever memory holds of
        them, and on a thread that no request waits for, which calls it.
        """
        ...

    async def open(self, physical: str) -> BlobReader | None:
        """Open a blob for reading; None if it is missing.

        Raises StorageUnreadable also if just its first byte cannot be read.
        """
        ...

    async def link(self, physical: str, target: Path) -> bool:
        """Give the blob's bytes a second name without copying them; False where that cannot be.

        Nobody can tell the two apart: a blob never changes.
        """
        ...


class BlobStore(StoredFiles, Protocol):
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

    async def writer(self, session: str, algorithm: str) -> BlobWriter:
        """Open a session for writing, hashing with ``algorithm`` meanwhile.

        Raises BlobUploadUnknown if the store has no such session.
        """
        ...

    async def discard(self, session: str) -> None:
        """Delete a session's bytes; a missing session is no error."""
        ...

    async def changed_at(self, physical: str) -> int | None:
        """The time of the last possible change, in milliseconds since 1970; None if missing.

        Corruption by the disk itself leaves no time.
        """
        ...

    async def remove(self, names: Sequence[str]) -> Mapping[str, StorageFailed]:
        """Remove blobs that no row names, or other listed files, at most FILES_PER_REMOVAL.

        Returns the errors, by name: a file that cannot be removed keeps no other one, and a
        missing one is no error.  Raises RegistryReadOnly where the disk itself fails: then some
        are removed, and the call may be repeated.
        """
        ...

    async def aclose(self) -> None:
        """Close the store.  Every reader and writer must be closed before."""
        ...
