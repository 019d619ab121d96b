"""BlobStore, BlobReader, BlobWriter: the contract.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-blobs
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple, Protocol

from oci.digest import Digest
from registry.errors import StorageFailed
from registry.storage.blobs.claims import Claim, Progress, Record

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
    session: str = ""
    """The upload session that its bytes came by; empty where its name does not tell."""


class Stored(NamedTuple):
    """A blob that was committed: its physical name, and its size in bytes."""

    physical: str
    size: int


class BlobStat(NamedTuple):
    """A blob's bytes, without a look into them."""

    size: int
    """In bytes."""
    changed_at: int
    """The time of the last possible change, in milliseconds since 1970.

    Corruption by the disk itself leaves no time.
    """


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
    """Writes the bytes of one upload session under one claim, from where its progress stopped.

    ``offset`` counts the bytes of this and earlier writers, and never more than ``commit`` will
    hash.  A newer claim fences a writer: it may go on writing, to bytes that no other writer
    reads, but neither records a progress nor commits.  ``rewind``, ``release`` and ``commit``
    raise what ``record`` raises.
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
        """Truncate the session to ``offset`` bytes; recorded before a byte is gone."""
        ...

    async def release(self) -> Progress:
        """Write the accepted chunks if possible, record the progress, and let go of the session.

        The end of every writer, whatever happened before; it runs to its end though it is
        cancelled, and a second call changes nothing.  After ``commit`` nothing is recorded.
        """
        ...

    async def commit(self, digest: Digest) -> Stored:
        """Make the bytes durable under a new physical name.

        Afterwards the session has no bytes; ``offset`` still tells their number.
        Raises DigestMismatch, leaving the session as it was, and BlobUploadUnknown if the session
        was discarded meanwhile.
        """
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
        """The bytes of a session of which no progress is recorded; None if there is none."""
        ...

    async def stat(self, physical: str) -> BlobStat | None:
        """The blob's size and time; None if it is missing."""
        ...

    async def verify(
        self, physical: str, algorithm: str, pace: Pace | None = None
    ) -> Digest | None:
        """The digest of the blob's bytes as they can be read now, or None if it is not there.

        With a ``pace`` they are read for long: from the medium itself, whatever memory holds of
        them, and on a thread that no request waits for, which calls it.
        """
        ...

    async def reader(self, physical: str, size: int) -> BlobReader | None:
        """Open a blob for reading; None if it is missing, or has not ``size`` bytes.

        A store whose blobs are never cut short may open without a look at them.
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
    fewer.  Several stores may be open on one place: what one did, the next call finds by another.

    Callers keep the newest claim of each session and its last progress; the store keeps neither.

    On a failing disk, methods that only read raise StorageUnreadable, those that write StorageFull
    or StorageFailed.

    Every implementation passes tests/registry/storage/blobs/test_contract.py.
    """

    async def begin(self, session: str) -> None:
        """Begin an empty session, whose row must exist before.

        Its file tells from then on, over any crash, that the session has not become a blob.  A
        store for which the session's row tells that does nothing.
        """
        ...

    async def writer(self, claim: Claim, record: Record) -> BlobWriter:
        """Write a session under a claim, hashing with its algorithm meanwhile.

        Bytes that came after the claim's progress are dropped.  Where they are, or where an older
        writer is still open, ``record`` is asked first, so that a late claim destroys nothing.
        Raises BlobUploadUnknown if the store has no such session.
        """
        ...

    async def discard(self, progress: Progress) -> None:
        """Delete the bytes of a session whose row is gone; none is no error."""
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
