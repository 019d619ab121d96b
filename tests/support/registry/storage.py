"""A registry without HTTP: services over a real root, in this process."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from oci.digest import Digest
from oci.reference import RepositoryName
from registry.services.context import ManifestPolicy, RegistryState, UploadLimits
from registry.services.repositories import Registry, Repository
from registry.services.sessions import Sessions
from registry.storage.blobs.contract import BlobReader, BlobStore
from registry.storage.blobs.filesystem.file_ops import Syscalls
from registry.storage.blobs.filesystem.store import FilesystemBlobStore
from registry.storage.clock import Clock
from registry.storage.database.sqlite import SQLiteDatabase
from registry.storage.disk.free_space import MinimumFree
from registry.storage.disk.root import Root
from registry.storage.disk.write_guard import WriteGuard
from registry.storage.retention import Retention
from registry.storage.system_clock import SystemClock
from tests.support.images import Image, Index
from tests.support.registry import schema
from tests.support.registry.databases import RerunningDatabase
from tests.support.registry.settings import default_retention, default_upload_limits


@dataclass(frozen=True, slots=True)
class Service:
    """Everything under one root, opened."""

    root: Path
    database: SQLiteDatabase
    store: BlobStore
    registry: Registry
    state: RegistryState

    def repository(
        self, name: str = "team/app", identity: str = "alice", *, may_push: bool = True
    ) -> Repository:
        parsed = RepositoryName.parse(name)
        return self.registry.repository(parsed, identity, may_push=may_push)

    async def rows(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        def unit(connection: Connection) -> list[tuple[Any, ...]]:
            return [tuple(row) for row in connection.execute(text(query), values)]

        return await self.database.read(unit)

    def files(self) -> set[str]:
        """Every file under blobs/ and uploads/, by its path."""
        return {
            os.path.relpath(os.path.join(folder, name), self.root)
            for part in ("blobs", "uploads")
            for folder, _, names in os.walk(self.root / part)
            for name in names
        }


@contextlib.asynccontextmanager
async def a_service(
    path: Path,
    *,
    policy: ManifestPolicy | None = None,
    store: BlobStore | None = None,
    system: Syscalls = os,
    floor: MinimumFree | None = None,
    clock: Clock | None = None,
    retention: Retention | None = None,
    limits: UploadLimits | None = None,
    database_class: type[SQLiteDatabase] = RerunningDatabase,
) -> AsyncIterator[Service]:
    """Open a root, as a server does at its start; opening it again is a restart.

    Every unit of work runs twice, the first time rolled back: see RerunningDatabase.
    """
    with Root.open(path) as root:
        schema.upgrade(root.database)
        guard = WriteGuard.of(root, floor or MinimumFree())
        used_clock = clock or SystemClock()
        used = store or FilesystemBlobStore(root, guard, system=system)
        async with database_class(root.database, guard) as database:
            state = RegistryState(
                database,
                used,
                policy or ManifestPolicy(),
                guard,
                sessions=Sessions(used_clock),
                clock=used_clock,
                retention=retention or default_retention(),
                limits=limits or default_upload_limits(),
            )
            yield Service(path, database, used, Registry(state), state)
            await used.aclose()


async def body(*chunks: bytes) -> AsyncIterator[bytes]:
    """A request's body, in these chunks."""
    for chunk in chunks:
        yield chunk


async def push_blob(repository: Repository, content: bytes) -> Digest:
    digest = Digest.of(content)
    await repository.uploads.push(digest, body(content), length=len(content))
    return digest


async def push_blobs(repository: Repository, blobs: Iterable[bytes]) -> None:
    for content in blobs:
        await push_blob(repository, content)


async def push_image(repository: Repository, image: Image, *references: Any) -> None:
    """Its blobs, then the manifest: by its digest, or by each reference given."""
    await push_blobs(repository, image.blobs.values())
    for reference in references or (image.digest,):
        await repository.manifests.push(reference, image.manifest, image.media_type)


async def push_index(repository: Repository, index: Index, *references: Any) -> None:
    for image in index.images:
        await push_image(repository, image)
    for reference in references or (index.digest,):
        await repository.manifests.push(reference, index.manifest, index.media_type)


async def read_all(reader: BlobReader, start: int = 0, stop: int | None = None) -> bytes:
    try:
        return b"".join([chunk async for chunk in reader.chunks(start, stop)])
    finally:
        await reader.aclose()


async def pull_blob(repository: Repository, digest: Digest) -> bytes:
    return await read_all(await repository.blobs.open(digest))


def cut(content: bytes, places: Sequence[int]) -> list[bytes]:
    """Content in chunks, cut at these places."""
    edges = [0, *sorted(place % (len(content) + 1) for place in places), len(content)]
    return [content[begin:end] for begin, end in itertools.pairwise(edges)]
