"""Rows of the registry's tables for tests of the queries: no services, no files."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, create_engine, event

from oci.digest import Digest
from oci.mediatype import OCI_MANIFEST
from oci.reference import RepositoryName, Tag
from registry.storage.metadata import blobs, edges, manifests, repositories, tags
from registry.storage.metadata.audit import Change
from registry.storage.metadata.blobs import StoredBlob
from registry.storage.metadata.edges import Edge
from registry.storage.metadata.manifests import NewManifest
from tests.support.registry import schema

NAME, OTHER = RepositoryName("team/app"), RepositoryName("team/other")
EARLY = Change("alice", at=1_000, epoch=1, lease_ms=100)
LATE = Change("bob", at=2_000, epoch=2, lease_ms=100)


@contextmanager
def a_connection(path: Path) -> Iterator[Connection]:
    """A connection to a new database, in one transaction."""
    schema.upgrade(path)
    engine = create_engine(f"sqlite:///{path}")
    event.listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA foreign_keys = ON"))
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def a_blob(
    connection: Connection, repository: int, content: bytes, *, change: Change = EARLY
) -> Digest:
    """The blob, in the repository; its physical name is its content."""
    digest = Digest.of(content)
    new = StoredBlob(len(content), content.decode())
    blobs.add(connection, change, digest, new, corrupt=None)
    blobs.add_member(connection, change, repository, digest, "session")
    return digest


def a_manifest(
    connection: Connection,
    repository: int,
    content: bytes,
    *names: str,
    named: Sequence[Edge] = (),
    subject: Digest | None = None,
    change: Change = EARLY,
) -> Digest:
    """A manifest with these tags, which names these."""
    digest = Digest.of(content)
    new = NewManifest(digest, OCI_MANIFEST, content, None, subject, "{}")
    manifests.put(connection, change, repository, new)
    here = edges.find_present(connection, repository, named)
    edges.insert_edges(connection, repository, digest, named, here)
    tags.change_all(connection, change, repository, [Tag(name) for name in names], digest)
    return digest


def a_layer(digest: Digest, size: int = 5) -> Edge:
    return Edge("layer", digest, size)


def a_child(digest: Digest, size: int = 5) -> Edge:
    return Edge("child", digest, size)


def a_repository(connection: Connection, name: RepositoryName = NAME) -> int:
    return repositories.ensure(connection, EARLY, name)
