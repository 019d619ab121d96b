"""ContentStore, PartialIngests: the contracts of the blobs that the images' services keep.

https://github.com/opencontainers/image-spec/blob/main/descriptor.md#digests
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from oci.digest import Digest, DigestMismatch
from runner.errors import NotFound, RunnerError


class BlobUnknown(NotFound):
    """The content store does not have this blob."""

    def __init__(self, digest: Digest) -> None:
        super().__init__(f"blob {digest} is not in the content store")


class SizeMismatch(RunnerError):
    """A blob's size differs from its descriptor's."""

    def __init__(self, digest: Digest, found: int, expected: int) -> None:
        super().__init__(f"blob {digest} has {found} bytes, expected {expected}")


class Ingest(Protocol):
    """The ingest of one blob: ``offset`` bytes are present; ``append`` the rest, then ``commit``.

    ``offset`` counts every byte appended, also those that are not written yet.  ``complete`` says
    that the blob is stored already: nothing is appended then, and ``commit`` does nothing.
    """

    @property
    def offset(self) -> int: ...

    @property
    def complete(self) -> bool: ...

    def arrived(self) -> AsyncIterator[bytes]:
        """The bytes present before the first append, for consumers that need the whole blob."""
        ...

    async def append(self, chunk: bytes) -> None:
        """Append bytes; SizeMismatch if they exceed the size."""
        ...

    async def restart(self) -> None:
        """Discard all bytes: the sender cannot resume, or those that are present are corrupt."""
        ...

    async def commit(self) -> None:
        """Make the blob visible and durable, or raise SizeMismatch or DigestMismatch.

        If too short, the bytes are kept to be resumed; with a wrong digest they are deleted.
        """
        ...


class PartialIngests(Protocol):
    """The bytes that ingests have left without a commit, each to be resumed by the next.

    An ingest in progress keeps its own: they are neither counted nor deleted.
    """

    def total_bytes(self) -> int:
        """Their size in bytes."""
        ...

    async def discard(self, idle_seconds: float = 0) -> int:
        """Delete those not resumed for ``idle_seconds``; returns how many bytes."""
        ...


class ContentStore(Protocol):
    """Immutable blobs under their digests, each whole and verified, or not there.

    A blob is written through an ``Ingest`` and becomes visible by ``commit``, durably: a power
    cut after that does not take it.  Without a commit the bytes stay, unseen, and the next
    ingest of the digest resumes them, even after the daemon was killed.

    Used in one event loop.  Every implementation passes
    tests/runner/storage/content/test_contract.py.
    """

    @property
    def partial(self) -> PartialIngests: ...

    def has(self, digest: Digest) -> bool: ...

    def path(self, digest: Digest) -> Path:
        """The file that has the blob's bytes and no others; not there if the blob is not."""
        ...

    def read(self, digest: Digest) -> bytes:
        """Read a small blob, a manifest or a config; BlobUnknown, or DigestMismatch if corrupt."""
        ...

    def ingest(self, digest: Digest, size: int) -> AbstractAsyncContextManager[Ingest]:
        """Receive a blob of ``size`` bytes; a second ingest of the digest waits for the first.

        After the wait ``complete`` may be true: the first has committed the blob.
        """
        ...

    async def delete(self, digest: Digest) -> int:
        """Delete the blob and what is left of its ingests; returns the bytes freed by the blob.

        A blob that is not there is no error; one that is being read stays readable where it is
        open.  Does not suspend: between a caller's check of its users and the deletion nobody
        else runs.
        """
        ...

    def digests(self) -> Iterator[Digest]:
        """Every stored blob, unordered."""
        ...


async def put_document(content: ContentStore, digest: Digest, document: bytes) -> None:
    """Store a manifest or config unless it is here; a corrupt copy is replaced."""
    try:
        content.read(digest)
    except BlobUnknown:
        pass
    except DigestMismatch:
        await content.delete(digest)
    async with content.ingest(digest, len(document)) as ingest:
        if not ingest.complete:
            await ingest.restart()
            await ingest.append(document)
            await ingest.commit()
