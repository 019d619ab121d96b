"""The command gc: collect garbage now, or say what would go."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from registry.admin.command import Document
from registry.admin.opened import OpenRegistry


async def collect(opened: OpenRegistry) -> AsyncGenerator[Document, None]:
    """One whole pass, the sweep included."""
    tally = await opened.collector.collect()
    yield tally.document()
