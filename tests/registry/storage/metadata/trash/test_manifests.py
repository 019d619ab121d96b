"""Trashed manifests: bytes, tags, and the digests that the repository had."""

import pytest
from sqlalchemy import Connection, update

from oci.digest import Digest
from oci.mediatype import OCI_MANIFEST
from oci.reference import Tag
from registry.storage.metadata import blobs
from registry.storage.metadata.tables import manifest_edges
from registry.storage.metadata.trash import manifests
from registry.storage.metadata.trash.manifests import TrashedManifest
from tests.support.registry.rows import (
    EARLY,
    LATE,
    OTHER,
    a_blob,
    a_child,
    a_layer,
    a_manifest,
    a_repository,
)


@pytest.mark.parametrize("linked", [True, False])
def test_a_manifest_comes_with_what_the_repository_had(
    connection: Connection, repository: int, linked: bool
) -> None:
    layer, child = (
        a_blob(connection, repository, b"layer"),
        a_manifest(connection, repository, b"child"),
    )
    absent = a_blob(connection, a_repository(connection, OTHER), b"elsewhere")
    named = [a_layer(layer), a_child(child), a_layer(absent), a_layer(child), a_layer(layer)]
    digest = a_manifest(connection, repository, b"content", named=named)
    if not linked:
        connection.execute(update(manifest_edges).values(blob=None, manifest=None))

    assert manifests.put_manifest(connection, LATE, repository, digest, [Tag("v1"), Tag("v2")])

    found = manifests.find_manifest(connection, repository, digest)
    assert found == TrashedManifest(
        id=1,
        media_type=OCI_MANIFEST,
        content=b"content",
        tags=(Tag("v1"), Tag("v2")),
        present=frozenset({str(layer), str(child)}),
    )


def test_a_corrupt_blob_that_was_never_linked_is_not_needed_back(
    connection: Connection, repository: int
) -> None:
    layer = a_blob(connection, repository, b"layer")
    blobs.mark_corrupt(connection, "layer")
    digest = a_manifest(connection, repository, b"content", named=[a_layer(layer)])

    manifests.put_manifest(connection, LATE, repository, digest, [])

    found = manifests.find_manifest(connection, repository, digest)
    assert found is not None
    assert found.present == frozenset()


def test_a_manifest_that_is_not_here_is_not_put(connection: Connection, repository: int) -> None:
    other = a_repository(connection, OTHER)
    digest = a_manifest(connection, other, b"content")

    assert not manifests.put_manifest(connection, LATE, repository, digest, [])
    assert manifests.find_manifest(connection, repository, digest) is None


def test_the_last_deletion_is_the_one_that_is_found(
    connection: Connection, repository: int
) -> None:
    digest = a_manifest(connection, repository, b"content")
    manifests.put_manifest(connection, EARLY, repository, digest, [Tag("old")])
    manifests.put_manifest(connection, LATE, repository, digest, [Tag("new")])

    found = manifests.find_manifest(connection, repository, digest)
    assert found is not None
    assert found.tags == (Tag("new"),)

    manifests.delete_manifest(connection, repository, Digest.of(b"another"))
    assert manifests.find_manifest(connection, repository, digest) == found
    manifests.delete_manifest(connection, repository, digest)
    assert manifests.find_manifest(connection, repository, digest) is None
