"""The corpus of hostile archives: what each is called, its bytes, and what must become of it."""

from collections.abc import Callable
from dataclasses import dataclass

# Given the path of the canaries outside the root, the whole archive.
Build = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Hostile:
    """An archive that must be refused for a reason, or unpacked without leaving its root.

    ``refused`` is a pattern of the reason, or None; ``shows`` are some paths and what is
    there afterwards: ``f:content``, ``d``, ``l:target``, ``c``, ``p``, or ``-`` for nothing.
    """

    name: str
    build: Build
    refused: str | None = None
    shows: tuple[tuple[str, str], ...] = ()
    needs_root: bool = False
