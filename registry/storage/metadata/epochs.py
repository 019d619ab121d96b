"""Epochs: monotonic time that survives restarts, counted in rows."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    delete,
    func,
    insert,
    literal_column,
    select,
)

from registry.storage.clock import Clock
from registry.storage.database.point_read import PointRead
from registry.storage.metadata.tables import epochs
from registry.storage.retention import Cutoff

# More than any lifetime is long, in any sensible setting; older rows say nothing any more.
MAX_ROWS = 10_000

CURRENT = PointRead(
    select(func.coalesce(func.max(epochs.c.number), literal_column("0"))),
    into=lambda row: int(row[0]),
)
# For a read that has more to say: the number of the present epoch as one of its columns.
COLUMN = (
    select(func.coalesce(func.max(epochs.c.number), literal_column("0")))
    .scalar_subquery()
    .label("epoch")
)


def current(connection: Connection) -> int:
    """The number of the present epoch; 0 before the first."""
    return CURRENT.first(connection) or 0


def advance(connection: Connection, clock: Clock, epoch_ms: int, *, begun: int) -> int:
    """Begin the next epoch if the present one is ``epoch_ms`` old; the number of the present one.

    Never more than one for each ``epoch_ms`` of monotonic time.  After a reboot nobody knows how
    old the last epoch is: then only time since ``begun``, when this process started, counts.
    """
    latest = _latest(connection)
    number = 0 if latest is None else int(latest.number)
    if _age_ms(latest, clock, begun) < epoch_ms:
        return number
    now, wall = clock.monotonic_ms(), clock.wall_ms()
    connection.execute(
        insert(epochs).values(number=number + 1, boot=clock.boot, monotonic_ms=now, begun_at=wall)
    )
    connection.execute(delete(epochs).where(epochs.c.number <= number - MAX_ROWS))
    return number + 1


def is_due(connection: Connection, clock: Clock, epoch_ms: int, *, begun: int) -> bool:
    """Whether ``advance`` would begin an epoch now."""
    return _age_ms(_latest(connection), clock, begun) >= epoch_ms


def is_expired(cutoff: Cutoff, at: Any, epoch: Any) -> ColumnElement[bool]:
    """Whether the moment of a row, by the wall clock and in epochs, is over; see Bound."""
    return is_expired_by(at, epoch, cutoff.at, cutoff.epoch, cutoff.beyond)


def is_expired_by(
    at: Any, epoch: Any, until: Any, until_epoch: Any, beyond: Any
) -> ColumnElement[bool]:
    """``is_expired`` of a bound whose parts may be parameters."""
    condition: ColumnElement[bool] = ((at <= until) | (at > beyond)) & (epoch <= until_epoch)
    return condition


def _latest(connection: Connection) -> Row[Any] | None:
    return connection.execute(select(epochs).order_by(epochs.c.number.desc()).limit(1)).first()


def _age_ms(latest: Row[Any] | None, clock: Clock, begun: int) -> int:
    """How old the present epoch is, as far as anybody can know."""
    since = latest.monotonic_ms if latest is not None and latest.boot == clock.boot else begun
    return clock.monotonic_ms() - since
