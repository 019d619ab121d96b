"""Page: part of a list, and whether there is more of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Self, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items of a list in its order.  With ``more``, the next page begins after the last."""

    items: tuple[T, ...]
    more: bool

    @classmethod
    def of(cls, found: Sequence[T], n: int | None) -> Self:
        """The first ``n`` of what was found, by a query for one more than that."""
        if n is None:
            return cls(tuple(found), more=False)
        # The spec wants no next page after one that asked for nothing.
        return cls(tuple(found[:n]), more=0 < n < len(found))


def limit(n: int | None) -> int | None:
    """How many to ask for, to see whether there are more than ``n``."""
    return None if n is None else n + 1
