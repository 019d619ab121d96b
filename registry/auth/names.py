"""PrincipalName: the name of a user, robot or group; all share one namespace."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from oci.errors import quoted

MAX_LENGTH = 63

# Names that stand for callers, and for the program itself in the audit.
EVERYONE = "everyone"
ANONYMOUS_NAME = "anonymous"
RESERVED = frozenset(
    {EVERYONE, ANONYMOUS_NAME} | {"operator", "oidc", "owner", "auditor", "system", "fsck", "scrub"}
)

_GRAMMAR = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*+", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class PrincipalName:
    """A checked name.

    >>> str(PrincipalName.parse("ci-app"))
    'ci-app'
    """

    text: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError with the grammar, or for a reserved name."""
        if len(text) > MAX_LENGTH or _GRAMMAR.fullmatch(text) is None:
            raise ValueError(
                f"name is {quoted(text)}, expected a-z and 0-9 joined by single . _ or -, "
                f"at most {MAX_LENGTH} characters"
            )
        if text in RESERVED:
            raise ValueError(f"name {text} is reserved")
        return cls(text)

    def __str__(self) -> str:
        return self.text
