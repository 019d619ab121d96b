"""OpenRegistry: the argument of every administrative command."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from registry.config import Settings
from registry.gc.collector import GarbageCollector
from registry.services.context import RegistryState
from registry.services.repositories import Registry


class HeldRoot(Protocol):
    """The root directory, held by this process."""

    @property
    def path(self) -> Path: ...

    @property
    def directory(self) -> int:
        """Its descriptor."""
        ...

    @property
    def was_unclean(self) -> bool:
        """Whether the last process that had it was killed."""
        ...


@dataclass(frozen=True, slots=True)
class OpenRegistry:
    """Everything under one root, opened by the process that holds it."""

    settings: Settings
    root: HeldRoot
    registry: Registry
    state: RegistryState
    collector: GarbageCollector
