"""Pattern: the repositories that a grant is for: a name, a prefix ``team/*``, or ``*``.

``{user}`` stands for the name of the user, as one whole component, and never of a robot, whose name
its maker chooses.  A pattern is stored as its text, so that the grants for a name are found by the
few patterns that it matches, by their key.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from oci.errors import OCIError, quoted
from oci.reference import RepositoryName

USER = "{user}"
ALL = "*"
MAX_LENGTH = 255

# ``{user}`` is among the first so many components, and no prefix with it is longer: or else a name
# such as a/a/a/... would match thousands of patterns, and each is a value in a query.
MAX_USER_DEPTH = 8

_EXPECTED = (
    "expected a repository's name, a prefix such as team/*, or *; {user} may stand for one whole "
    f"component of at most {MAX_USER_DEPTH}"
)
_STAND_IN = "user"
_USER_COMPONENT = re.compile(r"(?:(?<=/)|\A)\{user\}(?=/|\Z)", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Pattern:
    """A checked pattern.

    >>> Pattern.parse("team/*").matches("team/app"), Pattern.parse("team/*").matches("team")
    (True, False)
    """

    text: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError for anything that could never match a repository's name."""
        if text == ALL:
            return cls(text)
        stem, users = _USER_COMPONENT.subn(_STAND_IN, text.removesuffix("/*"), count=1)
        is_deep = users and stem.count("/") >= MAX_USER_DEPTH
        if len(text) > MAX_LENGTH or is_deep or not _is_name(stem):
            raise ValueError(f"pattern is {quoted(text)}, {_EXPECTED}")
        return cls(text)

    @property
    def has_user(self) -> bool:
        return USER in self.text

    def for_user(self, user: str) -> Pattern:
        """The pattern with the user's name in it."""
        return Pattern(_USER_COMPONENT.sub(lambda _: user, self.text))

    def matches(self, name: str, user: str | None = None) -> bool:
        """Whether a repository is among the pattern's; one with ``{user}`` needs the user."""
        if self.text == ALL:
            return True
        if self.has_user:
            return user is not None and self.for_user(user).matches(name)
        if self.text.endswith("/*"):
            return name.startswith(self.text[:-1])
        return name == self.text

    def is_within(self, other: Pattern) -> bool:
        """Whether every repository of this pattern is one of the other's."""
        if other.text == ALL or self == other:
            return True
        if not other.text.endswith("/*"):
            return False
        return self.text.startswith(other.text[:-1])

    @property
    def bounds(self) -> tuple[str, str]:
        """The names from the first to before the second, in byte order, are the pattern's.

        >>> Pattern.parse("team/*").bounds
        ('team/', 'team0')
        """
        if self.text == ALL:
            return "", "\U0010ffff"
        if self.text.endswith("/*"):
            return self.text[:-1], self.text[:-2] + "0"  # "0" follows "/"
        return self.text, self.text + "\0"

    def __str__(self) -> str:
        return self.text


def matching(name: str, user: str | None = None) -> tuple[str, ...]:
    """Every pattern, as its text, that matches a repository's name.

    With a user, also those where ``{user}`` stands for a component that is the user's name.

    >>> matching("team/app")
    ('team/app', 'team/*', '*')
    """
    found = [*_without_user(name)]
    if user is not None:
        parts = name.split("/")
        for place, part in enumerate(parts[:MAX_USER_DEPTH]):
            if part == user:
                found += _with_user(parts, place)
    return (*found, ALL)


def _without_user(name: str) -> Iterator[str]:
    yield name
    end = name.rfind("/")
    while end > 0:
        yield name[: end + 1] + "*"
        end = name.rfind("/", 0, end)


def _with_user(parts: list[str], place: int) -> Iterator[str]:
    replaced = [*parts[:place], USER, *parts[place + 1 :]]
    if len(parts) <= MAX_USER_DEPTH:
        yield "/".join(replaced)
    for end in range(place + 1, min(len(parts) - 1, MAX_USER_DEPTH) + 1):
        yield "/".join(replaced[:end]) + "/*"


def _is_name(text: str) -> bool:
    try:
        RepositoryName.parse(text)
    except OCIError:
        return False
    return True
