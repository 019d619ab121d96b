"""Epochs: monotonic time that survives restarts, one row per epoch."""

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

# Longer than any retention setting; older rows are never needed.
MAX_ROWS = 10_000

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


def current(connection: Connection) -> int:
    """The current epoch's number; 0 before the first."""
    return CURRENT.first(connection) or 0


def advance(connection: Connection, clock: Clock, epoch_ms: int, *, begun: int) -> int:
    """Begin the next epoch if the current one is ``epoch_ms`` old; return the current number.

    At most one begins per ``epoch_ms`` of monotonic time.  After a reboot the age of the last epoch
    is unknown: then only time since ``begun``, when this process started, counts.
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
    """Whether a row's wall time and epoch are at or before the cutoff; see Cutoff."""
    return is_expired_by(at, epoch, cutoff.at, cutoff.epoch, cutoff.beyond)


def is_expired_by(
    at: Any, epoch: Any, until: Any, until_epoch: Any, beyond: Any
) -> ColumnElement[bool]:
    """The condition of ``is_expired``, with a cutoff whose parts may be bind parameters."""
    condition: ColumnElement[bool] = ((at <= until) | (at > beyond)) & (epoch <= until_epoch)
    return condition


def _latest(connection: Connection) -> Row[Any] | None:
    return connection.execute(select(epochs).order_by(epochs.c.number.desc()).limit(1)).first()


def _age_ms(latest: Row[Any] | None, clock: Clock, begun: int) -> int:
    """The current epoch's age, at least; after a reboot, the time since ``begun``."""
    since = latest.monotonic_ms if latest is not None and latest.boot == clock.boot else begun
    return clock.monotonic_ms() - since
