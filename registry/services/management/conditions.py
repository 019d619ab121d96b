"""Conditions: If-Match and If-None-Match of a request that changes something with a revision.

https://www.rfc-editor.org/rfc/rfc9110#section-13.1
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from registry.errors import ConditionFailed

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Written(Generic[T]):
    """Something after a change, and whether it is new."""

    found: T
    is_new: bool


@dataclass(frozen=True, slots=True)
class Conditions:
    """The revisions that a change expects."""

    is_new: bool = False
    """Whether nothing may exist yet."""
    revisions: frozenset[str] | None = None
    """The revisions of which it must have one; None for any, or none."""
    exists: bool = False
    """Whether something must exist, whatever its revision."""

    def check(self, revision: str | None) -> None:
        """Raise ConditionFailed unless the change may be made; None if nothing exists yet."""
        if revision is not None and self.is_new:
            raise ConditionFailed(f"found revision {revision}, expected that none exists")
        if revision is None and (self.exists or self.revisions is not None):
            raise ConditionFailed("found that none exists, expected one to change")
        if self.revisions is not None and revision not in self.revisions:
            expected = " or ".join(sorted(self.revisions))
            raise ConditionFailed(f"found revision {revision}, expected {expected}")


ANY = Conditions()


def revision_of(version: int, parts: Iterable[str] = ()) -> str:
    """The revision of a row with its version, and of further rows that belong to it."""
    found = sorted(parts)
    if not found:
        return str(version)
    return f"{version}-{hashlib.sha256(chr(10).join(found).encode()).hexdigest()[:12]}"
