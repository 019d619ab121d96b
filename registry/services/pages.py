"""Page: a part of a list, and whether more follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Self, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Consecutive items of a list.  With ``more``, the next page begins after the last item."""

    items: tuple[T, ...]
    more: bool

    @classmethod
    def of(cls, found: Sequence[T], n: int | None) -> Self:
        """The first ``n`` of the rows found by a query for one more."""
        if n is None:
            return cls(tuple(found), more=False)
        # The spec allows no next page after a page of size 0.
        return cls(tuple(found[:n]), more=0 < n < len(found))


def limit(n: int | None) -> int | None:
    """The query limit that shows whether more than ``n`` exist."""
    return None if n is None else n + 1
