"""Errors: the registry's exceptions, each response with its code in the spec's table.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes

::

    Exception
      + OCIError                          becomes a response, by api/errors.py
      |   + BlobUnknown
      |   |   + BlobCorrupt
      |   + BlobUploadUnknown
      |   |   + ClaimLost                 a later request writes the session now
      |   + BlobInUse
      |   + ManifestUnknown
      |   + ManifestBlobUnknown           one digest that a manifest names
      |   + MoreReferencesMissing         the number of further ones
      |   + ManifestReferencesMissing     all of them together
      |   + ManifestTypeMismatch
      |   + NameUnknown
      |   + RangeInvalid
      |   + SizeInvalid
      |   + TooLarge
      |   + TooManyRequests
      |   |   + LoginDelayed              after failed logins
      |   + PreconditionFailed
      |   + Unauthorized
      |   + TagLocked                     a lock holds the tag
      |   + TagMoveDenied                 the caller may create tags, and not move them
      |   + StorageFull                   the disk is full
      |   + StorageFailed                 a write failed
      |   + StorageUnreadable             a read failed
      |   |   + BlobUnreadable
      |   + RegistryReadOnly              an earlier write failed: the latch is tripped
      |   + CommitUnknown                 a commit may have happened or not
      |       + WriterStopped
      + StartupError                      ends the program with one sentence
      |   + RootInUse
      |   + SchemaTooNew
      + CommandRefused                    ends an administrative command with one sentence
          + Invalid                       a value is none that there can be
          + Absent                        what is named does not exist
          + Conflict                      what exists forbids it
          + Denied                        the caller may see it, and not do it
          + ConditionFailed               what exists is not what the request expects
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from http import HTTPStatus

from oci.digest import Digest
from oci.errors import ErrorCode, OCIError
from oci.reference import RepositoryName, Tag


class BlobUnknown(OCIError):
    """The blob is not in this repository, but may be in others."""

    code = ErrorCode.BLOB_UNKNOWN

    def __init__(self, digest: Digest, message: str = "no blob {} in this repository") -> None:
        super().__init__(message.format(digest), detail={"digest": str(digest)})


class BlobCorrupt(BlobUnknown):
    """The blob's file is missing or corrupt; treated as absent."""

    def __init__(self, digest: Digest) -> None:
        super().__init__(
            digest, "blob {} is corrupt on the registry's disk; push it again to replace it"
        )


class BlobUploadUnknown(OCIError):
    """The upload session is not in this repository: it never began, has ended, or is another's."""

    code = ErrorCode.BLOB_UPLOAD_UNKNOWN

    def __init__(
        self, session: str, message: str = "no upload session {} in this repository"
    ) -> None:
        super().__init__(message.format(repr(session[:64])))


class ClaimLost(BlobUploadUnknown):
    """Another request has claimed the session since: the bytes of this one do not count."""

    def __init__(self, session: str) -> None:
        super().__init__(session, "upload session {} is being written by a later request")


class RangeInvalid(OCIError):
    """A chunk does not begin at the session's offset; the session stays open."""

    code = ErrorCode.BLOB_UPLOAD_INVALID
    status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE

    def __init__(self, start: int, *, session: str, offset: int) -> None:
        super().__init__(
            f"chunk starts at byte {start}, expected {offset}", detail={"offset": offset}
        )
        self.session = session
        self.offset = offset


class SizeInvalid(OCIError):
    """A body is longer or shorter than the request announced."""

    code = ErrorCode.SIZE_INVALID

    def __init__(self, received: int, *, expected: int) -> None:
        more = "at least " if received > expected else ""
        super().__init__(f"body has {more}{received} bytes, expected {expected}")


class ManifestUnknown(OCIError):
    """The manifest or the tag is not in this repository."""

    code = ErrorCode.MANIFEST_UNKNOWN

    def __init__(self, reference: Tag | Digest) -> None:
        what = "tag" if isinstance(reference, Tag) else "manifest"
        super().__init__(
            f"no {what} {reference} in this repository", detail={"reference": str(reference)}
        )


class ManifestBlobUnknown(OCIError):
    """A manifest names a digest that is not in this repository."""

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
    """A condition of the request, If-Match or If-None-Match, does not hold."""

    code = ErrorCode.DENIED
    status = HTTPStatus.PRECONDITION_FAILED

    def __init__(self, reference: Tag | Digest, found: Digest | None) -> None:
        now = "does not exist" if found is None else f"is now {found}"
        super().__init__(
            f"{reference} {now}, which the request did not expect",
            detail={"reference": str(reference), "digest": None if found is None else str(found)},
        )


class NameUnknown(OCIError):
    """The repository does not exist."""

    code = ErrorCode.NAME_UNKNOWN

    def __init__(self, name: RepositoryName) -> None:
        super().__init__(f"no repository {name}", detail={"name": str(name)})


class Unauthorized(OCIError):
    """No identity, or one without the permission; answered with a challenge.

    ``scope``: the scope that the access needs, for the client to ask a token for; empty for none.
    """

    code = ErrorCode.UNAUTHORIZED

    def __init__(self, message: str, *, scope: str = "", error: str = "") -> None:
        super().__init__(message)
        self.scope = scope
        self.error = error
        """RFC 6750 3.1: invalid_token, insufficient_scope, or empty without credentials."""


class TagLocked(OCIError):
    """A lock holds the tag: it may be created, and then neither moved nor deleted."""

    code = ErrorCode.DENIED
    status = HTTPStatus.CONFLICT

    def __init__(self, tag: str, *, lock: str, glob: str) -> None:
        super().__init__(
            f"tag {tag} exists and lock {lock} ({glob}) holds it: it can be neither moved nor "
            "deleted; a new tag is accepted"
        )


class TagMoveDenied(OCIError):
    """The caller may create tags, and the tag exists and points to another manifest."""

    code = ErrorCode.DENIED
    status = HTTPStatus.CONFLICT

    def __init__(self, tag: str, digest: str) -> None:
        super().__init__(
            f"tag {tag} exists and points to {digest}: moving it needs role push, and you hold "
            "create; a new tag is accepted"
        )


class BlobInUse(OCIError):
    """A blob cannot be deleted while a manifest of the repository names it."""

    code = ErrorCode.DENIED
    status = HTTPStatus.METHOD_NOT_ALLOWED

    def __init__(self, digest: Digest, manifest: Digest) -> None:
        super().__init__(
            f"blob {digest} is named by manifest {manifest}; delete the manifest first",
            detail={"digest": str(digest), "manifest": str(manifest)},
        )


class TooLarge(OCIError):
    """A body is larger than the limit for its kind."""

    code = ErrorCode.SIZE_INVALID
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE

    def __init__(self, limit: int, what: str = "manifest") -> None:
        super().__init__(f"{what} is larger than {limit} bytes")


class TooManyRequests(OCIError):
    """A limit is reached; the client may try again later."""

    code = ErrorCode.TOOMANYREQUESTS


class LoginDelayed(TooManyRequests):
    """Earlier logins failed: this one may be tried after some seconds."""

    def __init__(self, seconds: float) -> None:
        self.retry_after = math.ceil(seconds)
        super().__init__(
            f"too many logins failed for this account or from this address: try again in "
            f"{self.retry_after} s"
        )


class StorageFull(OCIError):
    """The disk is full; nothing of the bytes is visible."""

    # The spec's table has no code for it; only DENIED stops clients from retrying.
    code = ErrorCode.DENIED
    status = HTTPStatus.INSUFFICIENT_STORAGE

    def __init__(self) -> None:
        super().__init__("the registry has no storage left; ask its operator to make room")


class StorageFailed(OCIError):
    """A write failed, on a disk that is not full; nothing of the bytes is visible."""

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
    """A read failed.  Writes may still work, so the latch is not tripped."""

    code = ErrorCode.DENIED
    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self, reason: str, *, what: str = "its disk") -> None:
        super().__init__(f"the registry could not read {what}: {reason}")
        self.reason = reason
        self.what = what

    @classmethod
    def of(cls, error: OSError, *, what: str = "its disk") -> StorageUnreadable:
        """The error for an OSError of a reading call."""
        return StorageUnreadable(error.strerror or str(error), what=what)


class BlobUnreadable(StorageUnreadable):
    """The blob exists, but its bytes cannot be read."""

    def __init__(self, digest: Digest, reason: str) -> None:
        super().__init__(reason, what=f"blob {digest}")


class RegistryReadOnly(OCIError):
    """The disk failed earlier; nothing is written until an operator allows it."""

    code = ErrorCode.DENIED
    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"the registry is read-only since its disk failed ({reason}); "
            "its operator must check the disk, then run `registry unlatch`"
        )


class MoreReferencesMissing(OCIError):
    """The number of further missing references of a manifest, after the first ones."""

    code = ErrorCode.MANIFEST_BLOB_UNKNOWN

    def __init__(self, count: int) -> None:
        super().__init__(
            f"manifest names {count} more digests that are not in this repository",
            detail={"count": count},
        )


class ManifestReferencesMissing(OCIError):
    """All missing references of one manifest, in one response of limited size."""

    code = ErrorCode.MANIFEST_BLOB_UNKNOWN
    MAX_ERRORS = 100

    def __init__(self, errors: Sequence[OCIError]) -> None:
        more = len(errors) - self.MAX_ERRORS
        shown = [*errors[: self.MAX_ERRORS], *([MoreReferencesMissing(more)] if more > 0 else [])]
        super().__init__("; ".join(str(error) for error in shown))
        self.errors = tuple(shown)


class StartupError(Exception):
    """The registry cannot start, with the reason in one sentence."""


class RootInUse(StartupError):
    """Another process serves the same root directory."""


class SchemaTooNew(StartupError):
    """The database was written by a newer program."""


class CommandRefused(Exception):
    """An administrative command cannot be run, with the reason in one sentence."""


class Invalid(CommandRefused):
    """A value that cannot be: the message says what was found and what was expected."""


class Absent(CommandRefused):
    """A name in a command that nothing has."""


class Conflict(CommandRefused):
    """A change that the rows forbid: the name is taken, or nobody would be left."""


class Denied(CommandRefused):
    """A change that the caller may not make, of something that they may see."""


class ConditionFailed(CommandRefused):
    """A condition of the request, If-Match or If-None-Match, does not hold."""
