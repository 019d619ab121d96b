"""Candidates: what nothing keeps, and what each reason to keep it changes."""

from collections.abc import Callable

import pytest
from sqlalchemy import Connection, update

from oci.digest import Digest
from oci.reference import Tag
from registry.storage.metadata import blobs, tags
from registry.storage.metadata.gc import candidates
from registry.storage.metadata.gc.candidates import START
from registry.storage.metadata.tables import manifests
from registry.storage.metadata.trash.put import Freed
from registry.storage.retention import Cutoff
from tests.support.registry.rows import (
    EARLY,
    LATE,
    NAME,
    OTHER,
    a_blob,
    a_child,
    a_layer,
    a_manifest,
    a_repository,
)

# The leases that EARLY gives are over, those of LATE are not.
CUTOFF = Cutoff(at=1_500, epoch=1, beyond=10**6)


def unused(connection: Connection) -> list[str]:
    return [digest for _, digest in candidates.unused_members(CUTOFF, START, connection).found]


def untagged(connection: Connection) -> list[str]:
    return [digest for _, digest in candidates.untagged_manifests(CUTOFF, START, connection).found]


def test_a_membership_is_unused_without_lease_and_edge(
    connection: Connection, repository: int
) -> None:
    garbage = a_blob(connection, repository, b"garbage")
    a_blob(connection, repository, b"leased", change=LATE)
    a_manifest(connection, repository, b"m", named=[a_layer(a_blob(connection, repository, b"l"))])

    assert unused(connection) == [str(garbage)]


def test_a_manifest_keeps_no_blob_of_another_repository(
    connection: Connection, repository: int
) -> None:
    digest = a_blob(connection, a_repository(connection, OTHER), b"layer")
    a_manifest(connection, repository, b"m", named=[a_layer(digest)])

    assert unused(connection) == [str(digest)]


def keep_by_tag(connection: Connection, repository: int, digest: Digest) -> None:
    tags.set_tag(connection, EARLY, repository, Tag("v1"), digest)


def keep_by_parent(connection: Connection, repository: int, digest: Digest) -> None:
    a_manifest(connection, repository, b"index", "index", named=[a_child(digest)])


def keep_by_signature(connection: Connection, repository: int, digest: Digest) -> None:
    a_manifest(connection, repository, b"signature", f"sha256-{digest.encoded}.sig")


def keep_by_lease(connection: Connection, repository: int, digest: Digest) -> None:
    row = manifests.c
    connection.execute(update(manifests).where(row.digest == str(digest)).values(lease_until=2_000))


def keep_by_epoch(connection: Connection, repository: int, digest: Digest) -> None:
    row = manifests.c
    connection.execute(update(manifests).where(row.digest == str(digest)).values(lease_epoch=2))


def keep_by_unknown_type(connection: Connection, repository: int, digest: Digest) -> None:
    row = manifests.c
    connection.execute(
        update(manifests).where(row.digest == str(digest)).values(media_type="example/other")
    )


@pytest.mark.parametrize(
    "keep",
    [
        keep_by_tag,
        keep_by_parent,
        keep_by_signature,
        keep_by_lease,
        keep_by_epoch,
        keep_by_unknown_type,
    ],
)
def test_a_manifest_is_kept_for_one_reason(
    connection: Connection, repository: int, keep: Callable[[Connection, int, Digest], None]
) -> None:
    digest = a_manifest(connection, repository, b"content")
    key = (repository, str(digest))
    assert untagged(connection) == [str(digest)]
    assert candidates.size_if_untagged(connection, CUTOFF, key) == len(b"content")

    keep(connection, repository, digest)

    assert untagged(connection) == []
    assert candidates.size_if_untagged(connection, CUTOFF, key) is None


def test_a_subject_keeps_its_referrer_while_it_is_there(
    connection: Connection, repository: int
) -> None:
    subject = a_manifest(connection, repository, b"subject", "v1")
    a_manifest(connection, repository, b"referrer", subject=subject)
    lost = a_manifest(connection, repository, b"lost", subject=Digest.of(b"never pushed"))

    assert untagged(connection) == [str(lost)]


def test_a_layer_of_the_same_digest_keeps_no_manifest(
    connection: Connection, repository: int
) -> None:
    digest = a_manifest(connection, repository, b"content")
    a_manifest(connection, repository, b"names it", "v1", named=[a_layer(digest)])

    assert untagged(connection) == [str(digest)]


def test_pages_are_together_the_whole_table(
    connection: Connection, repository: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "ROWS_PER_BATCH", 2)
    other = a_repository(connection, OTHER)
    made = {
        (each, str(a_blob(connection, each, b"%d" % number)))
        for each in (repository, other)
        for number in range(5)
    }
    found, sizes, after = [], [], START
    while True:
        page = candidates.unused_members(CUTOFF, after, connection)
        found += page.found
        sizes.append(len(page.found))
        if page.next is None:
            break
        after = page.next

    assert sorted(made) == found
    assert max(sizes) == 2


def test_a_delete_asks_again(connection: Connection, repository: int) -> None:
    other = a_repository(connection, OTHER)
    shared, last, renewed = (a_blob(connection, repository, each) for each in (b"1", b"2", b"3"))
    blobs.add_member(connection, EARLY, other, shared, None)
    keys = [(repository, str(digest)) for digest in (shared, last, renewed)]
    blobs.renew_lease(connection, LATE, repository, renewed)

    freed = candidates.delete_members(connection, LATE, CUTOFF, keys)

    assert freed == Freed(members=2, blobs=1, bytes=1)
    assert blobs.find_member(connection, NAME, renewed) is not None
    assert blobs.find_member(connection, OTHER, shared) is not None
    assert blobs.find(connection, last) is None
