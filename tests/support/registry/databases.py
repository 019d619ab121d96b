"""Databases of tests: one that runs each unit twice, one whose commits are lost sight of."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection

from oci.reference import RepositoryName
from registry.errors import CommitUnknown
from registry.storage.database.contract import T, Work
from registry.storage.database.group_commit import is_open
from registry.storage.database.sqlite import SQLiteDatabase
from registry.storage.guard import DiskGuard


class Written(NamedTuple):
    """One call of ``write``."""

    on: RepositoryName | None
    purpose: str


class RerunningDatabase(SQLiteDatabase):
    """Runs every unit twice, the first time rolled back, as its contract allows; and keeps count.

    A unit that does more than compute and query shows: its second run finds the first one's traces.
    """

    def __init__(self, path: Path, guard: DiskGuard) -> None:
        super().__init__(path, guard)
        self.written: list[Written] = []

    async def write(
        self,
        unit: Work[T],
        *,
        on: RepositoryName | None = None,
        grows: bool = False,
        purpose: str = "request",
    ) -> T:
        self.written.append(Written(on, purpose))
        return await super().write(twice(unit), on=on, grows=grows, purpose=purpose)


def twice(unit: Work[T]) -> Work[T]:
    """The unit, run again from its start after a run that was rolled back."""

    def run(connection: Connection) -> T:
        first = outcome_rolled_back(unit, connection)
        try:
            result = unit(connection)
        except Exception as error:
            assert first is type(error), f"raises {error!r} only when it is run again"
            raise
        assert first is None, f"raises {first} only the first time"
        return result

    return run


def outcome_rolled_back(unit: Work[T], connection: Connection) -> type[Exception] | None:
    """The type of exception that the unit raises, or None; nothing of it stays."""
    savepoint = connection.begin_nested()
    try:
        unit(connection)
    except Exception as error:
        if not is_open(connection):
            raise  # SQLite has rolled the whole transaction back
        return type(error)
    finally:
        if is_open(connection):
            savepoint.rollback()
    return None


Fate = Literal["never", "done", "later"]
"""Of a unit whose commit was lost sight of: it happens never, it has happened, it will."""


class LosingDatabase(RerunningDatabase):
    """Loses its connection in the middle of one commit; ``lose`` says which, and what comes of it.

    A unit that happens ``later`` does so in ``happen``.
    """

    _countdown = 0
    _fate: Fate = "never"
    _late: Work[Any] | None = None

    def lose(self, countdown: int, fate: Fate) -> None:
        """Lose the commit of the write that is the ``countdown``-th from now."""
        self._countdown, self._fate = countdown, fate

    async def happen(self) -> None:
        if self._late is not None:
            await super().write(self._late)

    async def write(
        self,
        unit: Work[T],
        *,
        on: RepositoryName | None = None,
        grows: bool = False,
        purpose: str = "request",
    ) -> T:
        self._countdown -= 1
        if self._countdown != 0:
            return await super().write(unit, on=on, grows=grows, purpose=purpose)
        if self._fate == "done":
            await super().write(unit, on=on, grows=grows, purpose=purpose)
        elif self._fate == "later":
            self._late = unit
        raise CommitUnknown
