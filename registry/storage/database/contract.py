"""Database: the contract for reading and writing rows.

A *unit* is a synchronous function of a Connection.  It only computes and queries, on what it was
given and what it reads, and changes nothing that outlives it: **a unit may run again from its
start**, after a run whose every effect on the rows was rolled back.  Everything beyond the rows
(a file, an answer, an entry in memory) follows ``write``, with the value that it returned.

The *connection* is SQLAlchemy's, lent until the unit returns, in the unit's thread, inside a
transaction that the Database begins and ends.  A unit executes statements and sees its own changes;
it never commits, rolls back, closes or keeps the connection.  SQLAlchemy's exceptions leave the
unit, for the Database to translate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from sqlalchemy import Connection as Connection

from oci.reference import RepositoryName
from registry.storage.database.lock_times import LockTimes
from registry.storage.database.point_read import PointRead

T = TypeVar("T")
Work = Callable[[Connection], T]


class Rows(Protocol):
    """Reads rows: of a Database in use, or of the Snapshot of a stopped registry."""

    async def read(self, unit: Work[T]) -> T:
        """Run a unit that only reads, in one snapshot, away from the loop.

        Raises StorageUnreadable.
        """
        ...


class OperatorRows(Rows, Protocol):
    """Reads rows for long, with threads and connections that no request waits for.

    Every implementation passes tests/registry/storage/database/test_operator_rows.py.
    """

    async def find_errors(self, *, deep: bool) -> Sequence[str]:
        """Errors that the database finds in its own storage, a line each; ``deep`` leaves no check
        out.  Raises StorageUnreadable.
        """
        ...

    async def find_dangling_rows(self) -> Sequence[str]:
        """Rows whose foreign key names a missing row, a line each.  Raises StorageUnreadable."""
        ...

    async def copy_to(self, path: Path) -> None:
        """Copy one snapshot of all rows to a new file at ``path``, while units go on.

        The format is the implementation's own.  Raises StorageUnreadable.
        """
        ...


class Database(Rows, Protocol):
    """Writes rows by units of work, and reads single rows in microseconds.

    Every implementation passes tests/registry/storage/database/test_contract.py, with two
    Databases on the same rows.
    """

    @property
    def operator(self) -> OperatorRows:
        """Readers for long units: passes over a table, checks, copies."""
        ...

    @property
    def lock_times(self) -> LockTimes:
        """How long units held the write lock, by purpose."""
        ...

    @property
    def problem(self) -> str | None:
        """The reason that writes are refused, in a sentence; None if they are not."""
        ...

    async def look(self, read: PointRead[T], *values: object) -> T | None:
        """One row by its key, as of some moment after the call; None without one.

        It may share a query with others that were asked for meanwhile.  Raises StorageUnreadable.
        """
        ...

    def version(self) -> int | None:
        """A number that is another one after any change of any row, by whichever process.

        Rows that were read at one version are still so while it stays.  None where it cannot be had
        in microseconds.
        """
        ...

    async def write(
        self,
        unit: Work[T],
        *,
        on: RepositoryName | None,
        grows: bool = False,
        purpose: str = "request",
    ) -> T:
        """Run a unit of work; on return it is durable, on an exception nothing of it happened.

        Units ``on`` one repository are serial, wherever they come from: each sees all that the
        one before it did, and what it read of the repository stays so until it is committed.
        None is for units that change single rows by one statement each, or that ask again
        whatever they rely on in the statement that changes it.

        One that ``grows`` the registry is refused while little space is left.  ``purpose`` says
        in ``lock_times`` what the unit was for.

        Raises what the unit raises; StorageFull, StorageFailed or RegistryReadOnly, and nothing
        of it happened as far as this process can tell; or CommitUnknown: the connection was lost
        while the unit was committed, and it may or may not have happened, or happen later.  Then
        nothing that either outcome needs may be dropped.
        """
        ...
