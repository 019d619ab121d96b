"""Errors: each tells the value found and the one expected, within a bound."""

import errno

import pytest

from oci.digest import Digest
from oci.errors import OCIError
from oci.reference import RepositoryName, Tag
from registry import errors

DIGEST, OTHER = Digest.of(b"one"), Digest.of(b"two")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (errors.BlobUnknown(DIGEST), f"no blob {DIGEST} in this repository"),
        (errors.BlobUploadUnknown("s"), "no upload session 's' in this repository"),
        (errors.RangeInvalid(5, session="s", offset=3), "chunk starts at byte 5, expected 3"),
        (errors.SizeInvalid(5, expected=3), "body has at least 5 bytes, expected 3"),
        (errors.SizeInvalid(2, expected=3), "body has 2 bytes, expected 3"),
        (errors.ManifestUnknown(Tag("v1")), "no tag v1 in this repository"),
        (errors.ManifestUnknown(DIGEST), f"no manifest {DIGEST} in this repository"),
        (
            errors.ManifestTypeMismatch(DIGEST, found="a", expected="b"),
            f"manifest {DIGEST} has media type a, and was pushed as b",
        ),
        (
            errors.PreconditionFailed(Tag("v1"), DIGEST),
            f"v1 is now {DIGEST}, which the request did not expect",
        ),
        (
            errors.PreconditionFailed(Tag("v1"), None),
            "v1 does not exist, which the request did not expect",
        ),
        (errors.NameUnknown(RepositoryName("app")), "no repository app"),
        (
            errors.BlobInUse(DIGEST, OTHER),
            f"blob {DIGEST} is named by manifest {OTHER}; delete the manifest first",
        ),
        (errors.TooLarge(9), "manifest is larger than 9 bytes"),
        (
            errors.StorageFailed("Input/output error"),
            "the registry could not store this: Input/output error",
        ),
        (
            errors.BlobUnreadable(DIGEST, "Input/output error"),
            f"the registry could not read blob {DIGEST}: Input/output error",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, OCIError) else "",
)
def test_an_error_tells_what_was_found_and_expected(error: OCIError, sentence: str) -> None:
    assert str(error) == sentence


def test_a_session_of_a_client_is_cut_short() -> None:
    assert str(errors.BlobUploadUnknown("x" * 1000)).count("x") == 64


@pytest.mark.parametrize(("missing", "shown", "more"), [(1, 1, 0), (100, 100, 0), (101, 100, 1)])
def test_so_many_missing_references_are_told_and_the_rest_counted(
    missing: int, shown: int, more: int
) -> None:
    one = errors.ManifestBlobUnknown(DIGEST)

    told = errors.ManifestReferencesMissing([one] * missing).errors

    assert told[:shown] == (one,) * shown
    assert [each.detail for each in told[shown:]] == [{"count": more}] * bool(more)


def test_a_failed_read_is_told_in_the_systems_words() -> None:
    named = errors.StorageUnreadable.of(OSError(errno.EIO, "Input/output error"), what="blobs")

    assert (named.reason, named.what) == ("Input/output error", "blobs")
    assert errors.StorageUnreadable.of(OSError("short")).reason == "short"
