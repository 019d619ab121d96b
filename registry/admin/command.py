"""Command: an administrative command, the types of its arguments, and its identity."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

# The identity of changes by commands, in the audit and in the tag history.
OPERATOR = "operator"

Document = dict[str, Any]
"""One JSON object of a command's output."""

Run = Callable[..., AsyncGenerator[Document, None]]
"""Called with the OpenRegistry, and the arguments by name; yields output as it is produced."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """A command's form for a registry that no server has, in which it changes nothing.

    ``run`` is called with the StoppedRegistry, if ``applies``: called with the arguments, and with
    whether the root's disk takes no write.
    """

    run: Run
    applies: Callable[[Mapping[str, object], bool], bool]


@dataclass(frozen=True, slots=True)
class Command:
    """One command; a missing argument has its default in ``run``."""

    run: Run
    arguments: Mapping[str, type] = field(default_factory=dict)
    stopped: Stopped | None = None
    makes_root: bool = False
    """Whether it may be the first command of all, which makes the root as ``serve`` does."""
