"""Repositories: made by the first push, and gone under a name that nobody can ask for."""

from sqlalchemy import Connection

from oci.reference import RepositoryName
from registry.storage.metadata import repositories, uploads
from tests.support.registry.rows import EARLY, LATE, NAME, OTHER, a_repository


def test_the_first_push_makes_the_repository(connection: Connection) -> None:
    assert repositories.find(connection, NAME) is None

    made = repositories.ensure(connection, EARLY, NAME)

    assert repositories.ensure(connection, LATE, NAME) == made
    assert repositories.find(connection, NAME) == made
    assert repositories.name_of(connection, made) == str(NAME)


def test_a_deleted_repository_is_found_by_nobody(connection: Connection, repository: int) -> None:
    a_repository(connection, OTHER)
    uploads.add(connection, EARLY, NAME, "one", "sha256")
    uploads.add(connection, EARLY, OTHER, "two", "sha256")

    repositories.mark_deleted(connection, LATE, repository, NAME)

    assert repositories.find(connection, NAME) is None
    assert repositories.names(connection, last=None, limit=None) == [OTHER]
    assert [each.id for each in uploads.list_open(connection)] == ["two"]


def test_the_name_of_a_deleted_repository_is_free(connection: Connection, repository: int) -> None:
    repositories.mark_deleted(connection, LATE, repository, NAME)

    again = repositories.ensure(connection, LATE, NAME)

    assert again != repository
    assert repositories.names(connection, last=None, limit=None) == [NAME]


def test_names_are_paged_in_byte_order(connection: Connection) -> None:
    for name in ("b", "a/b", "a-b", "a"):
        a_repository(connection, RepositoryName(name))

    first = repositories.names(connection, last=None, limit=2)
    rest = repositories.names(connection, last="a-b", limit=None)

    assert [str(name) for name in first] == ["a", "a-b"]
    assert [str(name) for name in rest] == ["a/b", "b"]
