"""Referrers: manifests of one repository by their subject, in the order of their digests."""

from sqlalchemy import Connection

from oci.digest import Digest
from oci.mediatype import OCI_MANIFEST
from registry.storage.metadata import manifests, referrers
from registry.storage.metadata.manifests import NewManifest
from tests.support.registry.rows import EARLY, OTHER, a_manifest, a_repository

SUBJECT = Digest.of(b"subject")


def a_referrer(
    connection: Connection,
    repository: int,
    content: bytes,
    artifact_type: str | None = None,
    annotations: str = "{}",
) -> Digest:
    digest = Digest.of(content)
    new = NewManifest(digest, OCI_MANIFEST, content, artifact_type, SUBJECT, annotations)
    manifests.put(connection, EARLY, repository, new)
    return digest


def digests(
    connection: Connection,
    repository: int,
    *,
    artifact_type: str | None = None,
    last: Digest | None = None,
    limit: int = 100,
) -> list[Digest]:
    found = referrers.descriptors(
        connection, repository, SUBJECT, artifact_type=artifact_type, last=last, limit=limit
    )
    return [each.digest for each in found]


def test_only_those_of_the_repository_and_the_subject(
    connection: Connection, repository: int
) -> None:
    mine = a_referrer(connection, repository, b"mine")
    a_referrer(connection, a_repository(connection, OTHER), b"theirs")
    a_manifest(connection, repository, b"another", subject=mine)
    a_manifest(connection, repository, b"none")

    assert digests(connection, repository) == [mine]


def test_pages_are_together_the_whole_list_in_order(
    connection: Connection, repository: int
) -> None:
    pushed = [a_referrer(connection, repository, b"%d" % number) for number in range(5)]
    found: list[Digest] = []
    while page := digests(connection, repository, last=found[-1] if found else None, limit=2):
        assert len(page) <= 2
        found += page

    assert found == sorted(pushed, key=str)


def test_one_artifact_type_is_asked_for(connection: Connection, repository: int) -> None:
    wanted = a_referrer(connection, repository, b"1", "example/sbom")
    a_referrer(connection, repository, b"2", "example/signature")
    a_referrer(connection, repository, b"3")

    assert digests(connection, repository, artifact_type="example/sbom") == [wanted]
    assert digests(connection, repository, artifact_type="example/none") == []


def test_a_descriptor_has_what_the_manifest_says(connection: Connection, repository: int) -> None:
    digest = a_referrer(connection, repository, b"12345", "example/sbom", '{"made": "today"}')

    [found] = referrers.descriptors(
        connection, repository, SUBJECT, artifact_type=None, last=None, limit=1
    )

    assert (found.digest, found.media_type, found.size) == (digest, OCI_MANIFEST, 5)
    assert (found.artifact_type, found.annotations) == ("example/sbom", {"made": "today"})
