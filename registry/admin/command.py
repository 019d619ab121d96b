"""Command: what an administrative command is."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Document = dict[str, Any]
"""One thing a command has to say, as JSON would have it."""

Run = Callable[..., AsyncGenerator[Document, None]]
"""Called with the OpenRegistry, and the command's arguments by name; yields as it goes."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command: an argument that is not given has its default in ``run``."""

    run: Run
    arguments: Mapping[str, type] = field(default_factory=dict)
