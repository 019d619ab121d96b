"""The commands on upload sessions: list, cancel."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import asdict

from registry.admin.command import OPERATOR, Document
from registry.admin.open_registry import OpenRegistry
from registry.errors import CommandRefused
from registry.services.operator.open_uploads import OpenUpload, cancel_uploads, list_uploads


async def show(opened: OpenRegistry) -> AsyncGenerator[Document, None]:
    """Yield every open session, oldest first."""
    for found in await list_uploads(opened.state):
        yield {**document(found.upload), "idle_ms": found.idle_ms, "bytes": found.bytes}


async def cancel(
    opened: OpenRegistry,
    ids: Sequence[str] = (),
    address: str | None = None,
    every: bool = False,
) -> AsyncGenerator[Document, None]:
    """End sessions: those with these ids, those of an address, or all."""
    chosen = frozenset(ids)

    def choose(upload: OpenUpload) -> bool:
        return every or upload.id in chosen or (address is not None and upload.address == address)

    ended = await cancel_uploads(opened.state, OPERATOR, choose)
    missing = chosen - {upload.id for upload in ended}
    for upload in ended:
        yield document(upload)
    if missing:
        raise CommandRefused(
            f"no open upload {', '.join(sorted(missing))[:1000]}; `registry upload list` shows "
            "those that are"
        )


def document(upload: OpenUpload) -> Document:
    return {**asdict(upload), "repository": str(upload.repository)}
