"""A full disk is told from one that has failed by SQLite's result code."""

import sqlite3

import pytest

from registry.storage.database.disk_errors import FAILURES, code_of


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (sqlite3.SQLITE_FULL, sqlite3.SQLITE_FULL),
        (sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_FULL),
        (sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR),
        (sqlite3.SQLITE_CORRUPT_VTAB, sqlite3.SQLITE_CORRUPT),
    ],
)
def test_an_index_of_the_log_that_cannot_grow_is_a_full_disk(code: int, expected: int) -> None:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = code

    assert code_of(error) == expected
    assert (code_of(error) in FAILURES) == (expected != sqlite3.SQLITE_FULL)
