"""A SQLite with the bug of the write-ahead log is told, a fixed one is not."""

import pytest

from registry.storage.database.sqlite_version import FIXED, problem_of


def test_an_older_version_is_a_problem_that_names_both() -> None:
    problem = problem_of((3, 40, 1))

    assert problem is not None
    assert problem.startswith("SQLite 3.40.1 can damage a database")
    assert "expected 3.51.3 or newer" in problem


@pytest.mark.parametrize("version", [FIXED, (3, 51, 4), (3, 60, 0), (4, 0, 0)])
def test_a_fixed_version_is_none(version: tuple[int, int, int]) -> None:
    assert problem_of(version) is None
