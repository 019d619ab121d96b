"""Registries, RegistryRepository: other registries, as the images' services use them.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from oci.descriptor import Descriptor
from oci.digest import Digest
from oci.manifest import ImageIndex, ImageManifest
from oci.reference import RepositoryName, Tag
from runner.credentials import Credentials

# Opens the blob from its start, once per attempt.
OpenBlob = Callable[[], AsyncIterator[bytes]]


@dataclass(frozen=True, slots=True)
class RemoteManifest:
    """A fetched manifest or index; its bytes match ``descriptor``'s digest."""

    descriptor: Descriptor
    document: ImageManifest | ImageIndex


@dataclass(frozen=True, slots=True)
class RepositoryAddress:
    """The place of a repository, and the credentials that are used there."""

    host: str
    name: RepositoryName
    credentials: Credentials

    def __str__(self) -> str:
        return f"{self.host}/{self.name}"


class PushResult(Enum):
    """How a push made a blob available in the repository."""

    EXISTED = "Layer already exists"
    MOUNTED = "Mounted"
    PUSHED = "Pushed"


class RegistryRepository(Protocol):
    """One repository of a registry, with one user's credentials; ``str()`` is its address.

    Every method may be repeated, and called by several tasks at once.  A failure of the network
    is retried inside; what remains of it is raised as Unavailable.  Each method raises also
    Unauthorized and Forbidden for a refusal, and RemoteUntrusted for an invalid response.
    """

    @property
    def address(self) -> RepositoryAddress: ...

    async def fetch_manifest(self, target: Tag | Digest) -> RemoteManifest:
        """The manifest or index, verified against the digest asked for, if it is one.

        Raises NotFound, and RemoteUntrusted for content that has another digest or is none.
        """
        ...

    def fetch_blob(self, descriptor: Descriptor, offset: int = 0) -> AsyncGenerator[bytes, None]:
        """The blob's bytes from ``offset`` to its end: exactly these, or an error.

        Raises NotFound, RemoteUntrusted for more bytes than ``descriptor.size``, Unavailable for
        fewer.  The digest is NOT verified: the caller has the bytes before ``offset``.  Nothing
        is requested before the first iteration, and nothing at all at the end of the blob.
        """
        ...

    async def fetch_tags(self) -> tuple[Tag, ...]:
        """Every tag once, in the registry's order.  Raises NotFound."""
        ...

    async def push_blob(
        self,
        descriptor: Descriptor,
        open_blob: OpenBlob,
        *,
        mount_from: RepositoryName | None = None,
    ) -> PushResult:
        """Make the blob available: nothing if it exists, else mounted if possible, else sent.

        ``open_blob`` is called only if bytes must be sent, and again for each retry; its errors
        come out.  ``mount_from`` is a hint: a repository that does not hold the blob is no
        error.  The blob is visible whole or not at all.  Raises BadRequest if the bytes do not
        match the digest.
        """
        ...

    async def push_manifest(
        self, target: Tag | Digest, descriptor: Descriptor, content: bytes
    ) -> None:
        """Store exactly these bytes; a tag that exists is moved to them at once.

        Everything that the manifest references is pushed before.
        """
        ...


class Registries(Protocol):
    """All registries that can be reached.  Making a repository sends nothing.

    Every implementation passes tests/runner/remote/test_contract.py, and so do its repositories.
    """

    def repository(
        self, host: str, name: RepositoryName, credentials: Credentials | None = None
    ) -> RegistryRepository: ...

    async def check_login(self, host: str, credentials: Credentials) -> bool:
        """Check the credentials with the registry; raises Unauthorized if refused.

        Returns False if the registry requires none, so that they remain unchecked.
        Raises Unavailable if it cannot be reached.
        """
        ...
