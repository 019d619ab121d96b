"""Startup errors: one sentence for each reason that a database cannot be opened."""

import sqlite3
from pathlib import Path

import pytest
from alembic.util import CommandError
from sqlalchemy.exc import DatabaseError

from registry.errors import StartupError
from registry.storage.database.startup_errors import (
    FIXED_SQLITE,
    OTHER,
    SENTENCES,
    sqlite_problem,
    startup_errors,
)

PATH = Path("/root/registry.db")


def an_error(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("SQLite's own words")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize("code", SENTENCES)
@pytest.mark.parametrize("wrapped", [False, True], ids=["sqlite3", "SQLAlchemy"])
def test_an_error_of_sqlite_is_told_with_the_file_and_its_words(code: int, wrapped: bool) -> None:
    error = an_error(code)

    with pytest.raises(StartupError) as raised, startup_errors(PATH):
        raise DatabaseError("SELECT 1", {}, error) if wrapped else error

    assert str(raised.value) == f"{PATH} {SENTENCES[code]} (SQLite's own words)"


def test_an_extended_code_counts_as_its_kind() -> None:
    with pytest.raises(StartupError, match="see to the disk"), startup_errors(PATH):
        raise an_error(sqlite3.SQLITE_IOERR_FSYNC)


@pytest.mark.parametrize("error", [an_error(sqlite3.SQLITE_MISUSE), CommandError("no revision")])
def test_any_other_is_no_reason_to_guess(error: Exception) -> None:
    with pytest.raises(StartupError, match=OTHER), startup_errors(PATH):
        raise error


def test_an_error_of_the_program_is_left_alone() -> None:
    with pytest.raises(ZeroDivisionError), startup_errors(PATH):
        raise ZeroDivisionError


def test_an_older_version_is_a_problem_that_names_both() -> None:
    problem = sqlite_problem((3, 40, 1))

    assert problem is not None
    assert problem.startswith("SQLite 3.40.1 can damage a database")
    assert "expected 3.51.3 or newer" in problem


@pytest.mark.parametrize("version", [FIXED_SQLITE, (3, 51, 4), (3, 60, 0), (4, 0, 0)])
def test_a_fixed_version_is_none(version: tuple[int, int, int]) -> None:
    assert sqlite_problem(version) is None
