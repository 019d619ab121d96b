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
# The characters of a name in docker's grammar, with those of a host and its port.
_NAME = re.compile(r"[A-Za-z0-9._/:-]+", re.ASCII)
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
        name, _, actions = rest.rpartition(":")
        found = _TYPE.fullmatch(kind)
        parts = [part for part in actions.split(",") if part]
        if (
            found is None
            or _NAME.fullmatch(name) is None
            or any(_ACTION.fullmatch(part) is None for part in parts)
        ):
            raise ValueError("expected TYPE:NAME:ACTION,...")
        return cls(found[1], name, tuple(dict.fromkeys(parts)))

    def allows(self, type: str, name: str, action: str) -> bool:
        return self.type == type and self.name == name and action in self.actions

    def __str__(self) -> str:
        return f"{self.type}:{self.name}:{','.join(self.actions)}"


# Of an access token that is the password of the user ``oidc``.  No request gets it by its name.
SIGN_IN = Scope("oidc", "sign-in", ("*",))


def parse_scopes(texts: Iterable[str]) -> tuple[Scope, ...]:
    """The scopes of repeated and of space-joined parameters; those not understood are left out.

    A request is never refused for its scopes: what it may not have it does not get.
    """
    # Actions are gathered first: a scope that is made anew for each part takes quadratic time.
    found: dict[tuple[str, str], dict[str, None]] = {}
    for text in texts:
        for part in text.split(" "):
            if len(part) > MAX_SCOPE_LENGTH:
                continue
            try:
                scope = Scope.parse(part)
            except ValueError:
                continue
            key = (scope.type, scope.name)
            if key in found or len(found) < MAX_SCOPES:
                found.setdefault(key, {}).update(dict.fromkeys(scope.actions))
    return tuple(Scope(type, name, tuple(actions)) for (type, name), actions in found.items())


def format_scopes(scopes: Iterable[Scope]) -> str:
    return " ".join(map(str, scopes))
