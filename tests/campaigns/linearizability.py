"""Linearizability of one register: Wing and Gong's search, with Lowe's memory.

https://www.cs.ox.ac.uk/people/gavin.lowe/LinearizabiltyTesting/paper.pdf
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

FOREVER = float("inf")


@dataclass(frozen=True, slots=True)
class Step:
    """One operation of a client on the register, between two moments, with its result.

    ``value`` is what a write writes and a read read, None for nothing.  A delete that was
    answered ``missed`` found nothing.  A step that is not ``sure`` was never answered: it may
    have happened at any moment up to ``ended``, or not at all.
    """

    begun: float
    ended: float
    kind: Literal["write", "read", "delete"]
    value: str | None = None
    sure: bool = True
    missed: bool = False

    def fits(self, state: str | None) -> bool:
        if self.kind == "read":
            return self.value == state
        if self.kind == "delete" and self.sure:
            return self.missed == (state is None)
        return True

    def after(self, state: str | None) -> str | None:
        if self.kind == "read":
            return state
        return self.value if self.kind == "write" else None


def is_linearizable(history: Sequence[Step], initial: str | None = None) -> bool:
    """Whether some order of the steps, true to their moments, explains every answer."""
    steps = sorted((s for s in history if s.sure or s.kind != "read"), key=lambda s: s.begun)
    sure = sum(1 << number for number, step in enumerate(steps) if step.sure)
    seen: set[tuple[int, str | None]] = set()
    stack = [(0, initial)]
    while stack:
        done, state = settle(steps, *stack.pop())
        if done & sure == sure:
            return True
        if (done, state) in seen:
            continue
        seen.add((done, state))
        stack += [
            (done | 1 << number, steps[number].after(state))
            for number in candidates(steps, done)
            if steps[number].fits(state)
        ]
    return False


def settle(steps: Sequence[Step], done: int, state: str | None) -> tuple[int, str | None]:
    """Take every read that fits now: it changes nothing, so sooner is never worse.

    Unless it began after the end of a step that was never answered and may still be chosen:
    that one would have to come first.
    """
    found = True
    while found:
        found = False
        next_ones = candidates(steps, done)
        open_end = min((steps[n].ended for n in next_ones if not steps[n].sure), default=FOREVER)
        for number in next_ones:
            step = steps[number]
            if step.kind == "read" and step.fits(state) and step.begun <= open_end:
                done |= 1 << number
                found = True
    return done, state


def candidates(steps: Sequence[Step], done: int) -> list[int]:
    """The steps that may be next, of steps in the order in which they began."""
    found: list[int] = []
    end = FOREVER
    for number, step in enumerate(steps):
        if step.begun > end:
            break
        if not done >> number & 1:
            found.append(number)
            if step.sure:
                end = min(end, step.ended)
    # A step without an answer is over, one way or the other, once a later step is done.
    latest = steps[done.bit_length() - 1].begun if done else -FOREVER
    return [
        number
        for number in found
        if steps[number].begun <= end and (steps[number].sure or steps[number].ended >= latest)
    ]
