"""Glob: tags by ``* ? [ ]``, whole and case-sensitive, and none takes long (rule DS-3).

A match takes at most as many steps as the glob has parts times the tag has characters: of each
there are at most 128.
"""

from __future__ import annotations

import string
from dataclasses import dataclass
from typing import Self

from oci.errors import quoted

MAX_LENGTH = 128
_FIRST = frozenset(string.ascii_letters + string.digits + "_")
_TAG = _FIRST | frozenset(".-")
_ALLOWED = _TAG | frozenset("*?[]!")


@dataclass(frozen=True, slots=True)
class Glob:
    """A checked glob.

    >>> Glob.parse("v[0-9]*").matches("v1.2"), Glob.parse("v?").matches("v12")
    (True, False)
    """

    text: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError for one that could match no tag, or is malformed."""
        if not text or len(text) > MAX_LENGTH or not _ALLOWED.issuperset(text):
            raise ValueError(
                f"glob is {quoted(text)}, expected a tag's characters and * ? [ ], "
                f"at most {MAX_LENGTH}"
            )
        first = _parse(text)[0]
        if first and _FIRST.isdisjoint(first):
            raise ValueError(f"glob is {quoted(text)}, expected the first character of a tag")
        return cls(text)

    def matches(self, tag: str) -> bool:
        """Whether the whole tag matches: one walk, which goes back to the latest ``*`` alone."""
        parts = _parse(self.text)
        place = at = 0
        star, resumed = -1, 0
        while at < len(tag):
            part = parts[place] if place < len(parts) else ""
            if part is None:
                star, resumed = place, at
                place += 1
            elif place < len(parts) and (part == "" or tag[at] in part):
                place += 1
                at += 1
            elif star >= 0:
                resumed += 1
                place, at = star + 1, resumed
            else:
                return False
        return all(part is None for part in parts[place:])

    def __str__(self) -> str:
        return self.text


def _parse(text: str) -> list[str | None]:
    """Its parts: None for ``*``, "" for ``?``, else the characters that may stand there."""
    parts: list[str | None] = []
    place = 0
    while place < len(text):
        character = text[place]
        if character == "[":
            end = text.find("]", place + 1)
            if end <= place + 1:
                raise ValueError(f"glob is {quoted(text)}, expected a ] after each [ and a part")
            parts.append(_class(text[place + 1 : end], text))
            place = end + 1
            continue
        if character in "]!":
            raise ValueError(f"glob is {quoted(text)}, expected {character} only within [ ]")
        parts.append({"*": None, "?": ""}.get(character, character))
        place += 1
    return parts


def _class(inside: str, text: str) -> str:
    negated = inside.startswith("!")
    inside = inside.removeprefix("!")
    if not inside:
        raise ValueError(f"glob is {quoted(text)}, expected a character in each [ ]")
    found, place = set(), 0
    while place < len(inside):
        if inside[place + 1 : place + 2] == "-" and place + 2 < len(inside):
            low, high = inside[place], inside[place + 2]
            if low > high:
                raise ValueError(f"glob is {quoted(text)}, expected {high}-{low} in its order")
            found |= {chr(code) for code in range(ord(low), ord(high) + 1)}
            place += 3
        else:
            found.add(inside[place])
            place += 1
    chosen = (_TAG - found) if negated else (_TAG & found)
    if not chosen:
        raise ValueError(f"glob is {quoted(text)}, expected a character in each [ ]")
    return "".join(sorted(chosen))
