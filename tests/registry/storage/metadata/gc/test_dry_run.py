"""Dry run: what would be unused once some manifests were gone, and what would be freed."""

import pytest
from sqlalchemy import Connection

from registry.storage.metadata import blobs
from registry.storage.metadata.gc import dry_run
from registry.storage.metadata.gc.dry_run import FreeableBlob
from registry.storage.retention import Cutoff
from tests.support.registry.rows import (
    EARLY,
    LATE,
    OTHER,
    a_blob,
    a_layer,
    a_manifest,
    a_repository,
)

CUTOFF = Cutoff(at=1_500, epoch=1, beyond=10**6)


def test_a_blob_goes_with_the_last_manifest_that_names_it(
    connection: Connection, repository: int
) -> None:
    own, shared, leased = (a_blob(connection, repository, each) for each in (b"1", b"2", b"3"))
    blobs.renew_lease(connection, LATE, repository, leased)
    named = [a_layer(digest) for digest in (own, own, shared, leased)]
    first = (repository, str(a_manifest(connection, repository, b"first", named=named)))
    second = (
        repository,
        str(a_manifest(connection, repository, b"second", named=[a_layer(shared)])),
    )

    alone = dry_run.only_referenced_by({first}, first, CUTOFF, connection)
    both = dry_run.only_referenced_by({first, second}, first, CUTOFF, connection)

    assert alone == [(repository, str(own))]
    assert sorted(both) == sorted([(repository, str(own)), (repository, str(shared))])


def test_a_digest_that_the_repository_lacks_is_no_membership(
    connection: Connection, repository: int
) -> None:
    elsewhere = a_blob(connection, a_repository(connection, OTHER), b"elsewhere")
    manifest = a_manifest(connection, repository, b"m", named=[a_layer(elsewhere)])
    key = (repository, str(manifest))

    assert dry_run.only_referenced_by({key}, key, CUTOFF, connection) == []


@pytest.mark.parametrize("batch", [1, 500])
def test_a_blob_is_freed_with_all_of_its_memberships(
    connection: Connection, repository: int, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dry_run, "DIGESTS_PER_BATCH", batch)
    other = a_repository(connection, OTHER)
    one, two = a_blob(connection, repository, b"12345"), a_blob(connection, repository, b"1234")
    blobs.add_member(connection, EARLY, other, two, None)
    mine = [(repository, str(one)), (repository, str(two))]

    assert dry_run.only_members_of(mine, connection) == [FreeableBlob(str(one), 5)]
    freed = dry_run.only_members_of([*mine, (other, str(two))], connection)
    assert {each.digest for each in freed} == {str(one), str(two)}
    assert dry_run.only_members_of([], connection) == []
