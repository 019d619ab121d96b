"""Manifests: their bytes, their leases, and what goes with them."""

import pytest
from sqlalchemy import Connection

from oci.digest import Digest
from oci.mediatype import OCI_MANIFEST
from oci.reference import Tag
from registry.storage.metadata import edges, manifests, tags
from registry.storage.metadata.manifests import ManifestHead, NewManifest, StoredManifest
from registry.storage.metadata.trash import manifests as trashed_manifests
from registry.storage.retention import Lease
from tests.support.registry.rows import (
    EARLY,
    LATE,
    NAME,
    OTHER,
    a_blob,
    a_child,
    a_layer,
    a_manifest,
)


def lease_of(connection: Connection, digest: Digest) -> Lease:
    found = manifests.LEASED.by(digest).first(connection, NAME, digest)
    assert found is not None
    return found.lease


@pytest.mark.parametrize("by_tag", [True, False], ids=["tag", "digest"])
def test_a_manifest_is_found_in_its_own_repository(
    connection: Connection, repository: int, by_tag: bool
) -> None:
    digest = a_manifest(connection, repository, b"content", "v1")
    reference = Tag("v1") if by_tag else digest

    assert manifests.CONTENT.by(reference).first(connection, NAME, reference) == StoredManifest(
        digest, OCI_MANIFEST, b"content"
    )
    assert manifests.HEAD.by(reference).first(connection, NAME, reference) == ManifestHead(
        digest, OCI_MANIFEST, 7
    )
    assert manifests.CONTENT.by(reference).first(connection, OTHER, reference) is None
    assert manifests.HEAD.by(reference).first(connection, OTHER, reference) is None


def test_a_corrupt_manifest_is_as_good_as_absent(connection: Connection, repository: int) -> None:
    digest = a_manifest(connection, repository, b"content", "v1")

    assert manifests.mark_corrupt(connection, LATE, repository, digest)

    assert manifests.CONTENT.by(digest).first(connection, NAME, digest) is None
    assert manifests.HEAD.by(Tag("v1")).first(connection, NAME, Tag("v1")) is None
    assert manifests.LEASED.by(digest).first(connection, NAME, digest) is None
    assert not manifests.mark_corrupt(connection, LATE, repository, digest), "it was before"
    assert not manifests.mark_corrupt(connection, LATE, repository, Digest.of(b"never"))


@pytest.mark.parametrize("marked", [True, False], ids=["marked", "not marked"])
def test_a_push_heals_wrong_bytes_and_forgets_their_edges(
    connection: Connection, repository: int, marked: bool
) -> None:
    layer = a_blob(connection, repository, b"layer")
    digest = a_manifest(connection, repository, b"content", named=[a_layer(layer)])
    right = NewManifest(digest, OCI_MANIFEST, b"content" if marked else b"right", None, None, "{}")
    if marked:
        manifests.mark_corrupt(connection, LATE, repository, digest)

    assert manifests.replace_corrupt(connection, repository, right)

    assert manifests.CONTENT.by(digest).first(connection, NAME, digest) == StoredManifest(
        digest, OCI_MANIFEST, right.content
    )
    assert edges.parent_of_blob(connection, repository, layer) is None
    assert not manifests.replace_corrupt(connection, repository, right), "nothing was wrong"


def test_a_lease_is_renewed_unless_it_has_just_begun(
    connection: Connection, repository: int
) -> None:
    digest = a_manifest(connection, repository, b"content")
    soon = type(EARLY)("bob", EARLY.at + 5, EARLY.epoch, EARLY.lease_ms)

    manifests.renew_lease(connection, soon, repository, digest)
    assert lease_of(connection, digest) == EARLY.lease

    manifests.renew_lease(connection, LATE, repository, digest)
    assert lease_of(connection, digest) == LATE.lease


def test_a_removed_manifest_is_in_the_trash_and_what_it_kept_has_a_lease(
    connection: Connection, repository: int
) -> None:
    child = a_manifest(connection, repository, b"child")
    index = a_manifest(connection, repository, b"index", "v1", named=[a_child(child)])
    referrer = a_manifest(connection, repository, b"referrer", subject=index)
    other = a_manifest(connection, repository, b"other")
    tags.set_tag(connection, LATE, repository, Tag("v1"), None)

    assert manifests.remove(connection, LATE, repository, index, [Tag("v1")])

    kept = trashed_manifests.find_manifest(connection, repository, index)
    assert manifests.CONTENT.by(index).first(connection, NAME, index) is None
    assert kept is not None
    assert (kept.content, kept.tags) == (b"index", (Tag("v1"),))
    assert kept.present == {str(child)}
    assert [lease_of(connection, each).epoch for each in (child, referrer, other)] == [2, 2, 1]
    assert not manifests.remove(connection, LATE, repository, index), "it was gone"


def test_an_index_that_lost_its_child_says_so(connection: Connection, repository: int) -> None:
    child = a_manifest(connection, repository, b"child")
    index = a_manifest(connection, repository, b"index", named=[a_child(child)])

    manifests.remove(connection, LATE, repository, child)
    manifests.remove(connection, LATE, repository, index)

    kept = trashed_manifests.find_manifest(connection, repository, index)
    assert kept is not None
    assert kept.present == frozenset()


def test_leases_of_what_it_keeps_begin_a_few_at_a_time(
    connection: Connection, repository: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifests, "ROWS_PER_BATCH", 2)
    children = [a_manifest(connection, repository, b"%d" % number) for number in range(3)]
    named = [a_child(child) for child in children]
    index = a_manifest(connection, repository, b"index", named=named)
    a_manifest(connection, repository, b"referrer", subject=index)

    renewed = [
        manifests.renew_some_dependents(connection, LATE, repository, index) for _ in range(4)
    ]

    assert renewed == [2, 1, 1, 0]
    assert {lease_of(connection, child).epoch for child in children} == {LATE.epoch}
