"""Edges: whole where the repository has what is named, else absent until it comes."""

import pytest
from sqlalchemy import Connection, delete, select, update

from oci.digest import Digest
from registry.storage.metadata import blobs, edges
from registry.storage.metadata.tables import manifest_edges
from tests.support.registry.rows import (
    NAME,
    OTHER,
    a_blob,
    a_child,
    a_layer,
    a_manifest,
    a_repository,
)

Row = tuple[str, str | None, str | None]


def rows_of(connection: Connection, parent: Digest) -> list[Row]:
    """Kind, blob and manifest of each edge, in order."""
    edge = manifest_edges.c
    query = select(edge.kind, edge.blob, edge.manifest).where(edge.parent == str(parent))
    found = connection.execute(query.order_by(edge.position))
    return [(row.kind, row.blob, row.manifest) for row in found]


def test_what_the_repository_has_is_whole_and_the_rest_absent(
    connection: Connection, repository: int
) -> None:
    here, child = a_blob(connection, repository, b"here"), Digest.of(b"child")
    elsewhere = a_blob(connection, a_repository(connection, OTHER), b"elsewhere")
    a_manifest(connection, repository, b"child")
    named = [a_layer(here), a_layer(elsewhere), a_child(child), a_child(here), a_layer(child)]

    parent = a_manifest(connection, repository, b"parent", named=named)

    assert rows_of(connection, parent) == [
        ("layer", str(here), None),
        ("layer", None, None),
        ("child", None, str(child)),
        ("child", str(here), None),
        ("layer", None, None),
    ]
    found = edges.find_present(connection, repository, named)
    assert [found.has(edge) for edge in named] == [True, False, True, True, False]


def test_corrupt_blobs_are_not_here(connection: Connection, repository: int) -> None:
    digest = a_blob(connection, repository, b"layer")
    blobs.mark_corrupt(connection, "layer")

    found = edges.find_present(connection, repository, [a_layer(digest)])

    assert not found.has(a_layer(digest))


def test_edges_are_whole_once_what_they_name_has_come(
    connection: Connection, repository: int
) -> None:
    layer, child = Digest.of(b"layer"), Digest.of(b"child")
    named = [a_layer(layer), a_child(child), a_layer(child)]
    parent = a_manifest(connection, repository, b"parent", named=named)

    a_blob(connection, repository, b"layer")
    a_manifest(connection, repository, b"child")

    assert rows_of(connection, parent) == [
        ("layer", str(layer), None),
        ("child", None, str(child)),
        ("layer", None, None),
    ]


def test_edges_are_those_of_one_repository(connection: Connection, repository: int) -> None:
    other = a_repository(connection, OTHER)
    parent = a_manifest(connection, repository, b"parent", named=[a_layer(Digest.of(b"layer"))])

    a_blob(connection, other, b"layer")

    assert rows_of(connection, parent) == [("layer", None, None)]


def test_a_manifest_that_goes_takes_its_edges_and_leaves_those_to_it_absent(
    connection: Connection, repository: int
) -> None:
    layer = a_blob(connection, repository, b"layer")
    child = a_manifest(connection, repository, b"child", named=[a_layer(layer)])
    index = a_manifest(connection, repository, b"index", named=[a_child(child)])
    assert edges.parent_of_blob(connection, repository, layer) == child

    edges.delete_edges(connection, repository, child)

    assert rows_of(connection, child) == []
    assert rows_of(connection, index) == [("child", None, None)]
    assert edges.parent_of_blob(connection, repository, layer) is None


@pytest.mark.parametrize("count", [0, 1, 3])
def test_more_than_one_statement_takes_are_asked_for_in_batches(
    connection: Connection, repository: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edges, "DIGESTS_PER_BATCH", 2)
    digests = [a_blob(connection, repository, b"%d" % number) for number in range(count)]

    found = edges.find_present(connection, repository, [a_layer(digest) for digest in digests])

    assert found.blobs == {str(digest) for digest in digests}


def test_a_unit_links_so_many_edges_and_says_that_some_are_left(
    connection: Connection, repository: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edges, "MAX_LINKS", 2)
    layer = Digest.of(b"layer")
    parent = a_manifest(connection, repository, b"parent", named=[a_layer(layer)] * 5)
    a_blob(connection, repository, b"layer")

    left = [edges.link_some(connection, repository, layer) for _ in range(2)]

    assert left == [True, False]
    assert rows_of(connection, parent) == [("layer", str(layer), None)] * 5


def test_edges_are_not_linked_to_content_that_has_gone(
    connection: Connection, repository: int
) -> None:
    named = [a_layer(Digest.of(b"layer")), a_child(Digest.of(b"child"))]
    parent = a_manifest(connection, repository, b"parent", named=named)

    for edge in named:
        assert not edges.link_some(connection, repository, edge.digest)

    assert rows_of(connection, parent) == [("layer", None, None), ("child", None, None)]


def test_a_unit_unlinks_so_many_indexes(
    connection: Connection, repository: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edges, "MAX_LINKS", 2)
    child = a_manifest(connection, repository, b"child")
    index = a_manifest(connection, repository, b"index", named=[a_child(child)] * 3)

    left = [edges.unlink_some(connection, repository, child) for _ in range(2)]

    assert left == [True, False]
    assert rows_of(connection, index) == [("child", None, None)] * 3


@pytest.mark.parametrize("kind", ["blob", "manifest"])
def test_unlinked_content_is_found_by_the_repositorys_name(
    connection: Connection, repository: int, kind: str
) -> None:
    digest = Digest.of(b"content")
    a_manifest(connection, repository, b"parent", named=[a_layer(digest), a_child(digest)])
    assert not edges.UNLINKED.first(connection, NAME, digest), "there is nothing to link to"

    if kind == "blob":
        a_blob(connection, repository, b"content")
    else:
        a_manifest(connection, repository, b"content")
    assert not edges.UNLINKED.first(connection, NAME, digest), "it was linked as it came"

    edge = manifest_edges.c
    connection.execute(update(manifest_edges).values(blob=None, manifest=None))
    assert edges.UNLINKED.first(connection, NAME, digest)
    assert not edges.UNLINKED.first(connection, OTHER, digest)
    connection.execute(delete(manifest_edges).where(edge.child == str(digest)))
    assert not edges.UNLINKED.first(connection, NAME, digest)


def test_an_edge_that_is_not_linked_still_names_its_blob(
    connection: Connection, repository: int
) -> None:
    layer = a_blob(connection, repository, b"layer")
    parent = a_manifest(connection, repository, b"parent", named=[a_layer(layer)])
    connection.execute(update(manifest_edges).values(blob=None))

    assert edges.parent_of_blob(connection, repository, layer) == parent
