"""Roles: each holds those below it; the table says what each access needs.

https://distribution.github.io/distribution/spec/auth/scope/ has the actions of a token's scope.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Literal, Self

from oci.errors import quoted

Access = Literal["open", "check", "see", "pull", "create", "push", "maintain", "admin", "catalog"]
"""The access column of the endpoint tables."""


class Role(IntEnum):
    """The access that a grant gives on its pattern."""

    PULL = 1
    CREATE = 2
    PUSH = 3
    MAINTAIN = 4
    ADMIN = 5

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError with the roles that there are."""
        names = {str(role): role for role in cls}
        if text not in names:
            raise ValueError(f"role is {quoted(text)}, expected one of {', '.join(names)}")
        return names[text]

    def __str__(self) -> str:
        return self.name.lower()


NEEDED: Mapping[Access, Role] = MappingProxyType(
    {
        "see": Role.PULL,
        "pull": Role.PULL,
        "create": Role.CREATE,
        "push": Role.PUSH,
        "maintain": Role.MAINTAIN,
        "admin": Role.ADMIN,
    }
)
"""The role that an access to a repository needs."""

ACTIONS: Mapping[Access, str] = MappingProxyType(
    {
        "see": "pull",
        "pull": "pull",
        "create": "push",
        "push": "push",
        "maintain": "delete",
        "admin": "*",
        "catalog": "*",
    }
)
"""The action that a token's scope must have for an access."""
