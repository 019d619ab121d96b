"""The commands gc and undelete."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import asdict

from oci.digest import Digest
from oci.reference import RepositoryName, Tag
from registry.admin.command import OPERATOR, Document
from registry.admin.open_registry import OpenRegistry
from registry.errors import CommandRefused
from registry.gc.dry_run import dry_run as dry_run_of
from registry.trash import repositories
from registry.trash.undelete import undelete_digest, undelete_tag


async def collect(
    opened: OpenRegistry, dry_run: bool = False, all_orphans: bool = False
) -> AsyncGenerator[Document, None]:
    """Run one pass with a sweep, or a dry run of it."""
    if dry_run:
        report = await dry_run_of(opened.state, all_orphans=all_orphans)
    else:
        report = await opened.collector.collect(all_orphans=all_orphans)
    retention = opened.state.retention
    yield {
        **report.document(),
        # The longer of the two: by the wall clock, or by epochs of a running server.
        "pushed_ms": max(retention.lease_ms, retention.lease_epochs * retention.epoch_ms),
        "deleted_ms": retention.epochs(retention.undelete_ms) * retention.epoch_ms,
    }


async def undelete(opened: OpenRegistry, what: str) -> AsyncGenerator[Document, None]:
    """Bring back a blob or a manifest by its digest, or a tag by ``name:tag``."""
    if "@" not in what and what.startswith(("sha256:", "sha512:")):
        result = await undelete_digest(opened.state, OPERATOR, Digest.parse(what))
    else:
        name, colon, tag = what.rpartition(":")
        if not colon:
            raise CommandRefused(f"{what!r}: expected a digest, or NAME:TAG")
        result = await undelete_tag(
            opened.state, OPERATOR, RepositoryName.parse(name), Tag.parse(tag)
        )
    yield asdict(result)


async def undelete_repository(opened: OpenRegistry, name: str) -> AsyncGenerator[Document, None]:
    """Undelete a whole repository."""
    await repositories.undelete_repository(opened.state, OPERATOR, RepositoryName.parse(name))
    yield {"name": name}
