"""Scopes: the resources and actions that a token is asked for, or has.

https://distribution.github.io/distribution/spec/auth/scope/
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

MAX_SCOPES = 100
MAX_SCOPE_LENGTH = 4096

REPOSITORY = "repository"
CATALOG = "registry:catalog"

# resourceclass is deprecated, and ignored: repository(plugin).
_TYPE = re.compile(r"([a-z0-9]+)(?:\([a-z0-9]+\))?", re.ASCII)
_ACTION = re.compile(r"[a-z]+|\*", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Scope:
    """One resource, and what may be done with it.

    >>> str(Scope.parse("repository:team/app:pull,push"))
    'repository:team/app:pull,push'
    """

    type: str
    name: str
    actions: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError.

        The name may contain colons, a host's port among others: so the type ends at the first
        colon, and the actions begin after the last (rule AZ-9).
        """
        kind, _, rest = text.partition(":")
        name, colon, actions = rest.rpartition(":")
        found = _TYPE.fullmatch(kind)
        if found is None or not colon or not name:
            raise ValueError("expected TYPE:NAME:ACTION,...")
        parts = [part for part in actions.split(",") if part]
        if any(_ACTION.fullmatch(part) is None for part in parts):
            raise ValueError("expected TYPE:NAME:ACTION,...")
        return cls(found[1], name, tuple(dict.fromkeys(parts)))

    def allows(self, type: str, name: str, action: str) -> bool:
        return self.type == type and self.name == name and action in self.actions

    def __str__(self) -> str:
        return f"{self.type}:{self.name}:{','.join(self.actions)}"


def parse_scopes(texts: Iterable[str]) -> tuple[Scope, ...]:
    """The scopes of repeated and of space-joined parameters; those not understood are left out.

    A request is never refused for its scopes: what it may not have it does not get.
    """
    found: dict[tuple[str, str], Scope] = {}
    for text in texts:
        for part in text[: MAX_SCOPES * MAX_SCOPE_LENGTH].split():
            if len(part) > MAX_SCOPE_LENGTH or len(found) >= MAX_SCOPES:
                continue
            try:
                scope = Scope.parse(part)
            except ValueError:
                continue
            same = found.get((scope.type, scope.name))
            actions = (*(same.actions if same else ()), *scope.actions)
            found[scope.type, scope.name] = Scope(
                scope.type, scope.name, tuple(dict.fromkeys(actions))
            )
    return tuple(found.values())


def format_scopes(scopes: Iterable[Scope]) -> str:
    return " ".join(map(str, scopes))
