"""LinearRegex: regular expressions matched in linear time, in the syntax of Docker's, Go's.

Python's own backtrack: 23 characters can take minutes.  Here all alternatives are followed at once
(Thompson's construction), so a match takes at most the length of the text times the size of the
expression, and expressions that cannot be matched so (back references, lookaround) have no syntax.

https://github.com/google/re2/wiki/Syntax
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Self

MAX_LENGTH: Final = 256
# Counted repetitions are written out: (a{9}){9} has 81 states.
MAX_STATES: Final = 1000
MAX_DEPTH: Final = 50

Test = Callable[[str], bool]

_COUNTED = re.compile(r"\{(\d{1,4})(,(\d{0,4}))?\}", re.ASCII)
_CLASSES: Final[dict[str, Test]] = {
    "d": lambda c: c.isascii() and c.isdigit(),
    "w": lambda c: c.isascii() and (c.isalnum() or c == "_"),
    "s": lambda c: c in " \t\n\r\f",
}
_CONTROLS: Final = {"n": "\n", "t": "\t", "r": "\r", "f": "\f"}


class InvalidRegex(ValueError):
    """The text is no regular expression of this syntax."""


@dataclass(eq=False, slots=True)
class _State:
    """One state: a test of one character, or steps that take none."""

    test: Test | None = None
    at: str = ""
    """``^`` or ``$``: passed only at that end of the text."""
    next: list[_State] = field(default_factory=list)


@dataclass(slots=True)
class _Part:
    """A part of the machine, from its first state to its last, which leads nowhere yet."""

    first: _State
    last: _State


class LinearRegex:
    """A compiled expression.

    >>> LinearRegex.compile("^web-[0-9]+$").search("web-12")
    True
    """

    def __init__(self, first: _State, last: _State) -> None:
        self._first = first
        self._last = last

    @classmethod
    def compile(cls, text: str) -> Self:
        """Raises InvalidRegex."""
        if len(text) > MAX_LENGTH:
            raise InvalidRegex(f"{len(text)} characters, expected at most {MAX_LENGTH}")
        part = _Parser(text).parse()
        return cls(part.first, part.last)

    def search(self, text: str) -> bool:
        """Whether the expression matches somewhere in the text."""
        states: dict[_State, None] = {}
        for place in range(len(text) + 1):
            # A match may begin anywhere: the first state is entered at each place.
            self._enter(self._first, states, place, len(text))
            if self._last in states:
                return True
            if place < len(text):
                reached: dict[_State, None] = {}
                for state in states:
                    if state.test is not None and state.test(text[place]):
                        for following in state.next:
                            self._enter(following, reached, place + 1, len(text))
                states = reached
        return False

    def _enter(self, state: _State, states: dict[_State, None], place: int, end: int) -> None:
        """Add a state, and those that it leads to without a character."""
        waiting = [state]
        while waiting:
            one = waiting.pop()
            if one in states or (one.at == "^" and place) or (one.at == "$" and place != end):
                continue
            states[one] = None
            if one.test is None:
                waiting += one.next


class _Parser:
    """Parses by recursive descent: alternatives, sequences, repetitions, atoms."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._place = 0
        self._count = 0
        self._depth = 0

    def parse(self) -> _Part:
        part = self._alternatives()
        if self._peek():
            raise InvalidRegex("a ) without its (")
        return part

    def _alternatives(self) -> _Part:
        parts = [self._sequence()]
        while self._take("|"):
            parts.append(self._sequence())
        if len(parts) == 1:
            return parts[0]
        first, last = self._state(), self._state()
        for part in parts:
            first.next.append(part.first)
            part.last.next.append(last)
        return _Part(first, last)

    def _sequence(self) -> _Part:
        first = self._state()
        whole = _Part(first, first)
        while self._peek() and self._peek() not in "|)":
            part = self._repeated()
            whole.last.next.append(part.first)
            whole = _Part(first, part.last)
        return whole

    def _repeated(self) -> _Part:
        begin = self._place
        part = self._atom()
        end = self._place
        least, most = self._bounds()
        if (least, most) == (1, 1):
            return part
        first = self._state()
        whole, copy = _Part(first, first), part
        for number in range(max(least, most or 0, 1 if most is None else 0)):
            if number:
                copy = self._again(begin, end)
            if number >= least:
                self._make_optional(whole, copy)
            else:
                whole.last.next.append(copy.first)
            whole = _Part(first, copy.last)
        if most is None:
            # Any number more of the last copy.
            copy.last.next.append(copy.first)
        return whole

    def _make_optional(self, whole: _Part, copy: _Part) -> None:
        after = self._state()
        whole.last.next += [copy.first, after]
        copy.last.next.append(after)
        copy.last = after

    def _bounds(self) -> tuple[int, int | None]:
        """The least and the most of a repetition; None for any number."""
        for sign, bounds in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self._take(sign):
                self._take("?")  # lazy or not, the same texts match
                return bounds
        found = _COUNTED.match(self._text, self._place)
        if found is None:
            return 1, 1
        self._place = found.end()
        self._take("?")
        least = int(found[1])
        most = least if found[2] is None else int(found[3]) if found[3] else None
        if most is not None and most < least:
            raise InvalidRegex(f"{found[0]}, expected the lesser number first")
        return least, most

    def _again(self, begin: int, end: int) -> _Part:
        """Parse an atom once more: each copy has states of its own."""
        place, self._place = self._place, begin
        copy = self._atom()
        assert self._place == end
        self._place = place
        return copy

    def _atom(self) -> _Part:
        character = self._next()
        if character == "(":
            return self._group()
        if character in "^$":
            return self._single(self._state(at=character))
        if character in "*+?":
            raise InvalidRegex(f"{character} repeats nothing")
        if character == ".":
            return self._testing(lambda found: found != "\n")
        if character == "[":
            return self._testing(self._class())
        if character == "\\":
            return self._testing(self._escape())
        return self._testing(character.__eq__)

    def _group(self) -> _Part:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise InvalidRegex(f"groups in groups, expected at most {MAX_DEPTH} deep")
        if self._take("?") and not self._take(":"):
            raise InvalidRegex("(? begins no group here, expected (?: or (")
        part = self._alternatives()
        if not self._take(")"):
            raise InvalidRegex("a ( without its )")
        self._depth -= 1
        return part

    def _class(self) -> Test:
        """A class in brackets, after its ``[``."""
        is_negated = self._take("^")
        tests: list[Test] = []
        if self._take("]"):  # the first one stands for itself
            tests.append(self._from("]"))
        while not self._take("]"):
            if not self._peek():
                raise InvalidRegex("a [ without its ]")
            character = self._next()
            tests.append(self._escape() if character == "\\" else self._from(character))
        return lambda found: any(test(found) for test in tests) != is_negated

    def _from(self, low: str) -> Test:
        """A character of a class, or the range that it begins."""
        rest = self._text[self._place : self._place + 2]
        if len(rest) < 2 or rest[0] != "-" or rest[1] in "]\\":
            return low.__eq__
        self._place += 2
        if rest[1] < low:
            raise InvalidRegex(f"{low}-{rest[1]}, expected the lesser character first")
        return lambda found: low <= found <= rest[1]

    def _escape(self) -> Test:
        character = self._next()
        test = _CLASSES.get(character.lower())
        if test is not None:
            is_negated = character.isupper()
            return lambda found: test(found) != is_negated
        if character in _CONTROLS:
            return _CONTROLS[character].__eq__
        if character.isalnum():
            raise InvalidRegex(f"\\{character} means nothing here")
        return character.__eq__

    def _testing(self, test: Test) -> _Part:
        first, last = self._state(test=test), self._state()
        first.next.append(last)
        return _Part(first, last)

    def _single(self, first: _State) -> _Part:
        last = self._state()
        first.next.append(last)
        return _Part(first, last)

    def _state(self, *, test: Test | None = None, at: str = "") -> _State:
        self._count += 1
        if self._count > MAX_STATES:
            raise InvalidRegex(f"too many repetitions, expected at most {MAX_STATES} states")
        return _State(test, at)

    def _peek(self) -> str:
        return self._text[self._place : self._place + 1]

    def _take(self, sign: str) -> bool:
        if not self._text.startswith(sign, self._place):
            return False
        self._place += len(sign)
        return True

    def _next(self) -> str:
        character = self._peek()
        if not character:
            raise InvalidRegex("it ends in the middle")
        self._place += 1
        return character
