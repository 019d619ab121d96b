"""Deleted repositories: found by name until their window is over, cleared some rows at a time."""

import itertools

import pytest
from sqlalchemy import Connection, func, select

from registry.storage.metadata import repositories, tables
from registry.storage.metadata.trash import repositories as deleted_repositories
from registry.storage.metadata.trash import rows
from registry.storage.metadata.trash.repositories import DeletedRepository, Deletion
from registry.storage.retention import Cutoff
from tests.support.registry.rows import (
    EARLY,
    LATE,
    NAME,
    a_blob,
    a_layer,
    a_manifest,
    a_repository,
)

OPEN = Cutoff(at=0, epoch=0, beyond=10**6)
OVER = Cutoff(at=1_500, epoch=1, beyond=10**6)


def deleted(connection: Connection, repository: int) -> DeletedRepository:
    repositories.mark_deleted(connection, EARLY, repository, NAME)
    return DeletedRepository(repository, str(NAME), EARLY.at, EARLY.epoch)


def count(connection: Connection, *names: str) -> int:
    found = (tables.metadata.tables[name] for name in names)
    return sum(connection.scalar(select(func.count()).select_from(each)) or 0 for each in found)


def test_a_repository_can_come_back_until_its_window_is_over(
    connection: Connection, repository: int
) -> None:
    gone = deleted(connection, repository)
    assert repositories.find(connection, NAME) is None
    assert deleted_repositories.find(connection, NAME, OVER) is None
    assert deleted_repositories.find_expired(connection, OVER) == [gone]

    assert deleted_repositories.find(connection, NAME, OPEN) == gone
    assert deleted_repositories.find_expired(connection, OPEN) == []
    deleted_repositories.undelete(connection, gone)

    assert repositories.find(connection, NAME) == repository
    assert deleted_repositories.find(connection, NAME, OPEN) is None


def test_of_two_with_one_name_the_last_comes_back(connection: Connection, repository: int) -> None:
    deleted(connection, repository)
    second = a_repository(connection)
    repositories.mark_deleted(connection, LATE, second, NAME)

    found = deleted_repositories.find(connection, NAME, OPEN)

    assert found is not None
    assert found.repository == second
    assert deleted_repositories.deletions(connection, NAME) == [
        Deletion(EARLY.at, "alice"),
        Deletion(LATE.at, "bob"),
    ]


def test_all_rows_go_in_units_that_are_bounded(
    connection: Connection, repository: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deleted_repositories, "EDGES_PER_BATCH", 2)
    layers = [a_layer(a_blob(connection, repository, b"%d" % number)) for number in range(3)]
    for number in range(3):
        a_manifest(connection, repository, b"m%d" % number, f"v{number}", named=layers)
    gone = deleted(connection, repository)
    tables_of = ("tags", "manifest_edges", "manifests", "repo_blobs")
    assert len(deleted_repositories.members(connection, gone)) == 3
    left, freed = [count(connection, *tables_of)], []

    while (some := deleted_repositories.delete_some_rows(connection, gone, 2)) is not None:
        left.append(count(connection, *tables_of))
        freed.append(some.blobs)

    assert left[0] == 3 + 9 + 3 + 3
    assert left[-1] == 0
    assert all(0 < before - after <= 2 for before, after in itertools.pairwise(left))
    assert sum(freed) == 3
    # As of the repository's deletion: its window is theirs.
    assert len(rows.expired_files(connection, OVER, 9)) == 3


def test_rows_of_other_repositories_stay(connection: Connection, repository: int) -> None:
    gone = deleted(connection, repository)
    other = a_repository(connection)
    a_manifest(connection, other, b"m", "v1", named=[a_layer(a_blob(connection, other, b"l"))])

    assert deleted_repositories.delete_some_rows(connection, gone, 9) is None

    assert count(connection, "tags", "manifest_edges", "manifests", "repo_blobs") == 4
    deleted_repositories.mark_cleared(connection, LATE, gone)
    assert deleted_repositories.find_expired(connection, OVER) == []
