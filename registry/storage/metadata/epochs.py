"""Epochs: monotonic time that survives restarts, one row per epoch.

The next epoch begins once the newest is ``epoch_ms`` old.  Its age is known by a lower bound, which
any process may raise: ``watched_ms`` of its row, and the time since a process read that.  So no two
begin closer than ``epoch_ms``, for any number of processes, restarts and wall clocks (GC-10).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    delete,
    func,
    literal_column,
    select,
    text,
    update,
)

from registry.storage.clock import Clock
from registry.storage.database.point_read import PointRead
from registry.storage.metadata.tables import epochs
from registry.storage.retention import Cutoff

# Longer than any retention setting; older rows are never needed.
MAX_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest epoch, and a lower bound of its age in milliseconds."""

    number: int
    watched_ms: int


class EpochWatch:
    """The newest epoch's age, as far as this process has watched it by its own monotonic clock."""

    def __init__(self) -> None:
        self._seen: Newest | None = None
        self._at = 0

    def see(self, newest: Newest, now: int) -> None:
        """Record a row that was committed before ``now``, in monotonic milliseconds."""
        if newest.watched_ms == self.age_ms(newest, now):
            self._seen, self._at = newest, now

    def age_ms(self, newest: Newest, now: int) -> int:
        """At least so old is the epoch at ``now``, in monotonic milliseconds."""
        if self._seen is None or newest.number != self._seen.number:
            return newest.watched_ms
        return max(newest.watched_ms, self._seen.watched_ms + now - self._at)


NEWEST = PointRead(
    select(epochs.c.number, epochs.c.watched_ms).where(
        epochs.c.number == select(func.max(epochs.c.number)).scalar_subquery()
    ),
    into=lambda row: Newest(row[0], row[1]),
)
CURRENT = PointRead(
    select(func.coalesce(func.max(epochs.c.number), literal_column("0"))),
    into=lambda row: int(row[0]),
)
# The current epoch's number, as a column of another query.
COLUMN = (
    select(func.coalesce(func.max(epochs.c.number), literal_column("0")))
    .scalar_subquery()
    .label("epoch")
)
# In the words that SQLite and PostgreSQL share: of two processes that begin an epoch, one does.
_BEGIN = text(
    "INSERT INTO epochs (number, watched_ms, begun_at) VALUES (:number, 0, :begun_at)"
    " ON CONFLICT DO NOTHING"
)


def current(connection: Connection) -> int:
    """The current epoch's number; 0 before the first."""
    return CURRENT.first(connection) or 0


def advance(connection: Connection, watch: EpochWatch, clock: Clock, epoch_ms: int) -> Newest:
    """Begin the next epoch if the newest is ``epoch_ms`` old, else write down how old it is.

    Returns the newest.  The watch may see that only once it is committed, by a clock read after.
    """
    now = clock.monotonic_ms()
    found = NEWEST.first(connection)
    if found is not None and not is_due(found, watch, now, epoch_ms):
        return _raise_watched(connection, found, watch.age_ms(found, now))
    number = 1 if found is None else found.number + 1
    connection.execute(_BEGIN, {"number": number, "begun_at": clock.wall_ms()})
    connection.execute(delete(epochs).where(epochs.c.number <= number - MAX_ROWS))
    return NEWEST.first(connection) or Newest(number, 0)


def is_due(newest: Newest | None, watch: EpochWatch, now: int, epoch_ms: int) -> bool:
    """Whether the next epoch may begin; the first begins at once."""
    return newest is None or watch.age_ms(newest, now) >= epoch_ms


def is_expired(cutoff: Cutoff, at: Any, epoch: Any) -> ColumnElement[bool]:
    """Whether a row's wall time and epoch are at or before the cutoff; see Cutoff."""
    return is_expired_by(at, epoch, cutoff.at, cutoff.epoch, cutoff.beyond)


def is_expired_by(
    at: Any, epoch: Any, until: Any, until_epoch: Any, beyond: Any
) -> ColumnElement[bool]:
    """The condition of ``is_expired``, with a cutoff whose parts may be bind parameters."""
    condition: ColumnElement[bool] = ((at <= until) | (at > beyond)) & (epoch <= until_epoch)
    return condition


def _raise_watched(connection: Connection, newest: Newest, age_ms: int) -> Newest:
    row = epochs.c
    connection.execute(
        update(epochs)
        .where(row.number == newest.number, row.watched_ms < age_ms)
        .values(watched_ms=age_ms)
    )
    return Newest(newest.number, age_ms)
