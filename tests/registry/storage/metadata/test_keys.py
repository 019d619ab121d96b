"""Keys: rows by repository and digest, and as many as a transaction may hold."""

import pytest
from sqlalchemy import Connection, select

from registry.storage.metadata.keys import among, up_to_bytes
from registry.storage.metadata.tables import memberships
from tests.support.registry.rows import OTHER, a_blob, a_repository


def test_the_rows_are_those_of_the_pairs_not_of_their_parts(
    connection: Connection, repository: int
) -> None:
    other = a_repository(connection, OTHER)
    one, two = a_blob(connection, repository, b"one"), a_blob(connection, repository, b"two")
    a_blob(connection, other, b"one")
    a_blob(connection, other, b"two")
    keys = [(repository, str(one)), (other, str(two))]

    query = select(memberships.c.repository_id, memberships.c.digest).where(
        among(memberships, keys)
    )

    assert {tuple(row) for row in connection.execute(query)} == set(keys)


@pytest.mark.parametrize(
    ("sizes", "count"), [([], 0), ([99], 1), ([4, 5], 2), ([4, 6, 1], 2), ([10, 1], 1)]
)
def test_up_to_so_many_bytes_are_taken_and_one_at_least(sizes: list[int], count: int) -> None:
    named = [(str(number), size) for number, size in enumerate(sizes)]

    assert up_to_bytes(named, 10) == [digest for digest, _ in named[:count]]
