"""What the registry refuses, each with its code in the spec's table.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from oci.digest import Digest
from oci.errors import ErrorCode, OCIError
from oci.reference import RepositoryName, Tag


class BlobUnknown(OCIError):
    """This repository has no such blob, whatever other repositories have."""

    code = ErrorCode.BLOB_UNKNOWN

    def __init__(self, digest: Digest, message: str = "no blob {} in this repository") -> None:
        super().__init__(message.format(digest), detail={"digest": str(digest)})


class BlobCorrupt(BlobUnknown):
    """This repository has the blob, and the disk has not what it was: as good as absent."""

    def __init__(self, digest: Digest) -> None:
        super().__init__(
            digest, "blob {} is damaged on the registry's disk; pushing it again heals it"
        )


class BlobUploadUnknown(OCIError):
    """No such upload session in this repository: never begun, ended, or someone else's."""

    code = ErrorCode.BLOB_UPLOAD_UNKNOWN

    def __init__(self, session: str) -> None:
        super().__init__(f"no upload session {session[:64]!r} in this repository")


class RangeInvalid(OCIError):
    """A chunk that does not begin where the session stands; the session survives."""

    code = ErrorCode.BLOB_UPLOAD_INVALID
    status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE

    def __init__(self, start: int, *, session: str, offset: int) -> None:
        super().__init__(
            f"chunk starts at byte {start}, expected {offset}", detail={"offset": offset}
        )
        self.session = session
        self.offset = offset


class SizeInvalid(OCIError):
    """A body longer or shorter than the request said."""

    code = ErrorCode.SIZE_INVALID

    def __init__(self, received: int, *, expected: int) -> None:
        more = "at least " if received > expected else ""
        super().__init__(f"body has {more}{received} bytes, expected {expected}")


class ManifestUnknown(OCIError):
    """This repository has no such manifest, or no such tag."""

    code = ErrorCode.MANIFEST_UNKNOWN

    def __init__(self, reference: Tag | Digest) -> None:
        what = "tag" if isinstance(reference, Tag) else "manifest"
        super().__init__(
            f"no {what} {reference} in this repository", detail={"reference": str(reference)}
        )


class ManifestBlobUnknown(OCIError):
    """A manifest names what this repository does not have."""

    code = ErrorCode.MANIFEST_BLOB_UNKNOWN

    def __init__(self, digest: Digest, what: str = "blob") -> None:
        super().__init__(
            f"manifest names {what} {digest}, which is not in this repository",
            detail={"digest": str(digest)},
        )


class ManifestTypeMismatch(OCIError):
    """The same bytes were pushed before under another media type."""

    code = ErrorCode.MANIFEST_INVALID

    def __init__(self, digest: Digest, *, found: str, expected: str) -> None:
        super().__init__(f"manifest {digest} has media type {found}, and was pushed as {expected}")


class PreconditionFailed(OCIError):
    """The request was for a state that is not the present one: If-Match, If-None-Match."""

    code = ErrorCode.DENIED
    status = HTTPStatus.PRECONDITION_FAILED

    def __init__(self, reference: Tag | Digest, found: Digest | None) -> None:
        now = "does not exist" if found is None else f"is now {found}"
        super().__init__(
            f"{reference} {now}, which the request did not expect",
            detail={"reference": str(reference), "digest": None if found is None else str(found)},
        )


class NameUnknown(OCIError):
    """No repository of that name."""

    code = ErrorCode.NAME_UNKNOWN

    def __init__(self, name: RepositoryName) -> None:
        super().__init__(f"no repository {name}", detail={"name": str(name)})


class Unauthorized(OCIError):
    """Nobody, or not enough of somebody: the answer carries a challenge."""

    code = ErrorCode.UNAUTHORIZED


class BlobInUse(OCIError):
    """A blob that a manifest of the repository still names cannot be deleted."""

    code = ErrorCode.DENIED
    status = HTTPStatus.METHOD_NOT_ALLOWED

    def __init__(self, digest: Digest, manifest: Digest) -> None:
        super().__init__(
            f"blob {digest} is named by manifest {manifest}; delete the manifest first",
            detail={"digest": str(digest), "manifest": str(manifest)},
        )


class TooLarge(OCIError):
    """A body over the limit for its kind."""

    code = ErrorCode.SIZE_INVALID
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE

    def __init__(self, limit: int, what: str = "manifest") -> None:
        super().__init__(f"{what} is larger than {limit} bytes")


class TooManyRequests(OCIError):
    """Come back later."""

    code = ErrorCode.TOOMANYREQUESTS


class StorageFull(OCIError):
    """The disk would not take the bytes; nothing of them is visible."""

    # The table has no code for it; of those it has, only DENIED stops clients from retrying.
    code = ErrorCode.DENIED
    status = HTTPStatus.INSUFFICIENT_STORAGE

    def __init__(self) -> None:
        super().__init__("the registry has no storage left; ask its operator to make room")


class StorageFailed(OCIError):
    """The disk failed, other than by being full; nothing of the bytes is visible."""

    code = ErrorCode.DENIED
    status = HTTPStatus.INSUFFICIENT_STORAGE

    def __init__(self, reason: str, *, action: str = "store this") -> None:
        super().__init__(f"the registry could not {action}: {reason}")
        self.reason = reason


class CommitUnknown(OCIError):
    """The connection was lost while a change was committed: nobody can know whether it happened.

    It may even happen later.  So nothing is dropped that it may need, and the client is told to
    ask again.
    """

    code = ErrorCode.DENIED
    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(
        self,
        message: str = "the registry lost its database while it stored this, and cannot know "
        "whether it did; try again",
    ) -> None:
        super().__init__(message)


class WriterStopped(CommitUnknown):
    """The thread that writes the database has died; its last units may have happened or not."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"the registry's database writer has stopped ({reason}); its operator must restart it"
        )


class StorageUnreadable(OCIError):
    """The disk failed under a read, which says nothing of what it still takes: no latch."""

    code = ErrorCode.DENIED
    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self, reason: str, *, what: str = "its disk") -> None:
        super().__init__(f"the registry could not read {what}: {reason}")
        self.reason = reason
        self.what = what

    @classmethod
    def of(cls, error: OSError, *, what: str = "its disk") -> StorageUnreadable:
        """What a call that only reads says of the disk."""
        return StorageUnreadable(error.strerror or str(error), what=what)


class BlobUnreadable(StorageUnreadable):
    """This blob is there, and the disk does not give its bytes."""

    def __init__(self, digest: Digest, reason: str) -> None:
        super().__init__(reason, what=f"blob {digest}")


class RegistryReadOnly(OCIError):
    """The disk failed some time ago; nothing is written until an operator allows it again."""

    code = ErrorCode.DENIED
    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"the registry is read-only since its disk failed ({reason}); "
            "its operator must see to the disk, then run `registry unlatch`"
        )


class MoreReferencesMissing(OCIError):
    """So many more references of one manifest are absent than are named."""

    code = ErrorCode.MANIFEST_BLOB_UNKNOWN

    def __init__(self, count: int) -> None:
        super().__init__(
            f"manifest names {count} more digests that are not in this repository",
            detail={"count": count},
        )


class ManifestReferencesMissing(OCIError):
    """What one manifest names and the repository lacks, told together, as far as it is bounded."""

    code = ErrorCode.MANIFEST_BLOB_UNKNOWN
    MOST = 100

    def __init__(self, errors: Sequence[OCIError]) -> None:
        more = len(errors) - self.MOST
        told = [*errors[: self.MOST], *([MoreReferencesMissing(more)] if more > 0 else [])]
        super().__init__("; ".join(str(error) for error in told))
        self.errors = tuple(told)


class StartupError(Exception):
    """A reason not to start, in one sentence for the operator."""


class RootInUse(StartupError):
    """Another process serves the same root directory."""


class SchemaTooNew(StartupError):
    """The database was written by a newer program."""


class CommandRefused(Exception):
    """An administrative command that cannot be done, in one sentence for whoever gave it."""
