"""The commands on repositories: list, delete, size."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from registry.admin.command import Document
from registry.admin.opened import OpenRegistry


async def show(opened: OpenRegistry) -> AsyncGenerator[Document, None]:
    """Every repository, in the order of the names."""
    for name in (await opened.registry.names(last=None, n=None)).items:
        yield {"name": str(name)}
