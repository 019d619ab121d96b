"""Usage: exact bytes, each once, and those that nothing else has."""

from sqlalchemy import Connection

from registry.storage.metadata import usage
from registry.storage.metadata.usage import Size
from tests.support.registry.rows import OTHER, a_blob, a_child, a_layer, a_manifest, a_repository


def test_a_repository_shares_what_another_has_as_well(
    connection: Connection, repository: int
) -> None:
    other = a_repository(connection, OTHER)
    a_blob(connection, repository, b"alone")
    for each in (repository, other):
        a_blob(connection, each, b"in both")
    a_manifest(connection, repository, b"manifest")

    size = usage.of_repository(connection, repository)

    assert size == Size(manifests=1, manifest_bytes=8, blobs=2, unique=5, shared=7)
    assert size.bytes == 20


def test_an_empty_repository_has_no_bytes(connection: Connection, repository: int) -> None:
    assert usage.of_repository(connection, repository) == Size(0, 0, 0, 0, 0)


def test_a_tag_shares_what_stays_without_it(connection: Connection, repository: int) -> None:
    base, own = a_blob(connection, repository, b"base"), a_blob(connection, repository, b"own")
    one = a_manifest(connection, repository, b"one", "v1", named=[a_layer(base), a_layer(own)])
    a_manifest(connection, repository, b"two", "v2", named=[a_layer(base)])

    size = usage.of_manifest(connection, repository, one, "v1")

    assert size == Size(manifests=1, manifest_bytes=3, blobs=2, unique=3, shared=4)


def test_a_manifest_with_another_tag_frees_nothing(connection: Connection, repository: int) -> None:
    layer = a_blob(connection, repository, b"layer")
    one = a_manifest(connection, repository, b"one", "v1", "again", named=[a_layer(layer)])

    assert usage.of_manifest(connection, repository, one, "v1").unique == 0


def test_an_index_has_what_its_children_have_each_once(
    connection: Connection, repository: int
) -> None:
    layer = a_blob(connection, repository, b"layer")
    children = [
        a_manifest(connection, repository, content, named=[a_layer(layer)])
        for content in (b"child 1", b"child 2")
    ]
    index = a_manifest(connection, repository, b"index", "v1", named=[*map(a_child, children)])

    size = usage.of_manifest(connection, repository, index, "v1")

    assert size == Size(manifests=3, manifest_bytes=19, blobs=1, unique=5, shared=0)


def test_a_child_that_another_index_names_stays(connection: Connection, repository: int) -> None:
    layer = a_blob(connection, repository, b"layer")
    child = a_manifest(connection, repository, b"child", named=[a_layer(layer)])
    index = a_manifest(connection, repository, b"index", "v1", named=[a_child(child)])
    a_manifest(connection, repository, b"another", "v2", named=[a_child(child)])

    size = usage.of_manifest(connection, repository, index, "v1")

    assert (size.unique, size.shared) == (0, 5)
