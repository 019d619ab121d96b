"""Edges: whole where the repository has what is named, else absent until it comes."""

import pytest
from sqlalchemy import Connection, select

from oci.digest import Digest
from registry.storage.metadata import blobs, edges
from registry.storage.metadata.tables import manifest_edges
from tests.support.registry.rows import OTHER, a_blob, a_child, a_layer, a_manifest, a_repository

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
