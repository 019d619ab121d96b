"""Manifests: pull, check, push, delete.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-manifests

A digest names a manifest by the algorithm it was pushed with.  The same bytes pushed under
sha256 and under sha512 are two manifests, each with its own tags, edges and referrers: what a
client deletes or lists by one name says nothing about the other.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass

from oci.digest import Digest, DigestMismatch
from oci.manifest import ImageIndex, ImageManifest, parse_manifest
from oci.reference import RepositoryName, Tag
from registry.errors import (
    ManifestBlobUnknown,
    ManifestTypeMismatch,
    ManifestUnknown,
    NameUnknown,
    Refusals,
)
from registry.services.context import Context, Sparse
from registry.storage.metadata import acts, edges, manifests, repositories, tags
from registry.storage.metadata.acts import Act
from registry.storage.metadata.database import Connection
from registry.storage.metadata.edges import Edge, Presence
from registry.storage.metadata.manifests import NewManifest

# Below this, parsing takes less time than a thread takes to be woken.
PARSE_HERE_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class StoredManifest:
    """A manifest as it was pushed: exact bytes, exact media type."""

    digest: Digest
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class ManifestStat:
    """A manifest without its bytes."""

    digest: Digest
    media_type: str
    size: int


@dataclass(frozen=True, slots=True)
class PushedManifest:
    """What became of a push."""

    digest: Digest
    subject: Digest | None
    tags: tuple[Tag, ...]


@dataclass(frozen=True, slots=True)
class Manifests:
    """The manifests of one repository."""

    _context: Context

    async def pull(self, reference: Tag | Digest) -> StoredManifest:
        """Hot path: one query, no thread.  Raises ManifestUnknown or NameUnknown."""
        name = self._context.name
        found = await self._context.database.look(
            lambda connection: manifests.content(connection, name, reference)
        )
        if found is None:
            raise await self._unknown(reference)
        digest, media_type, content = found
        return StoredManifest(stored_digest(digest), media_type, content)

    async def stat(self, reference: Tag | Digest) -> ManifestStat:
        """Hot path: as ``pull``, without the bytes."""
        name = self._context.name
        found = await self._context.database.look(
            lambda connection: manifests.size(connection, name, reference)
        )
        if found is None:
            raise await self._unknown(reference)
        digest, media_type, size = found
        return ManifestStat(stored_digest(digest), media_type, size)

    async def push(
        self,
        reference: Tag | Digest,
        content: bytes,
        media_type: str | None,
        *,
        tags: Sequence[Tag] = (),
    ) -> PushedManifest:
        """Store the exact bytes, and point the tags to them; all of it or nothing.

        Raises ManifestInvalid, DigestMismatch, ManifestTypeMismatch, or Refusals with one
        ManifestBlobUnknown for each digest that should be in this repository and is not.
        """
        context = self._context
        manifest = await parse(content, media_type)
        digest = check_digest(content, reference)
        named = edges_of(manifest)
        pointed = all_tags(reference, tags)
        new = new_manifest(digest, manifest)

        def unit(connection: Connection) -> None:
            act = acts.begin(connection, context.identity)
            repository = repositories.ensure(connection, act, context.name)
            here = edges.presence(connection, repository, named)
            check_references(named, here, context.shared.policy.sparse)
            record(connection, act, repository, new, named, here)
            point(connection, act, context.name, repository, digest, pointed)

        await context.database.write(unit)
        return PushedManifest(digest, new.subject, pointed)

    async def delete(self, reference: Tag | Digest) -> None:
        """By tag: the tag alone.  By digest: the manifest, and every tag that points to it."""
        context = self._context

        def unit(connection: Connection) -> None:
            repository = repositories.find(connection, context.name)
            if repository is None:
                raise NameUnknown(context.name)
            act = acts.begin(connection, context.identity)
            if isinstance(reference, Tag):
                untag(connection, act, context.name, repository, reference)
            else:
                remove(connection, act, context.name, repository, reference)

        await context.database.write(unit)

    async def _unknown(self, reference: Tag | Digest) -> ManifestUnknown | NameUnknown:
        name = self._context.name
        repository = await self._context.database.look(
            lambda connection: repositories.find(connection, name)
        )
        return NameUnknown(name) if repository is None else ManifestUnknown(reference)


# The steps of a push, in their order.


async def parse(content: bytes, media_type: str | None) -> ImageManifest | ImageIndex:
    """Read the manifest, away from the loop if that would take long."""
    if len(content) <= PARSE_HERE_BYTES:
        return parse_manifest(content, media_type)
    return await asyncio.to_thread(parse_manifest, content, media_type)


def check_digest(content: bytes, reference: Tag | Digest) -> Digest:
    """The digest the manifest is stored under: the one it was pushed by, or its sha256."""
    if isinstance(reference, Tag):
        return Digest.of(content)
    actual = Digest.of(content, reference.algorithm)
    if actual != reference:
        raise DigestMismatch(reference, actual)
    return actual


def edges_of(manifest: ImageManifest | ImageIndex) -> tuple[Edge, ...]:
    """What the manifest names, in its order.  A subject is no edge: it need never exist."""
    if isinstance(manifest, ImageIndex):
        return tuple(Edge("child", child.digest, child.size) for child in manifest.manifests)
    config = Edge("config", manifest.config.digest, manifest.config.size)
    layers = (
        Edge("foreign" if layer.is_foreign else "layer", layer.digest, layer.size)
        for layer in manifest.layers
    )
    return (config, *layers)


def check_references(named: Sequence[Edge], here: Presence, sparse: Sparse) -> None:
    """Every edge leads to something of this repository, as far as the policy asks for it."""
    missing = {
        edge.child: edge.kind
        for edge in named
        if not may_be_absent(edge, sparse) and not here.has(edge)
    }
    if missing:
        words = {"child": "manifest"}
        raise Refusals(
            [ManifestBlobUnknown(digest, words.get(kind, kind)) for digest, kind in missing.items()]
        )


def may_be_absent(edge: Edge, sparse: Sparse) -> bool:
    if edge.kind == "foreign" or sparse == "any":
        return True
    return edge.kind == "child" and sparse == "index"


def record(
    connection: Connection,
    act: Act,
    repository: int,
    new: NewManifest,
    named: Sequence[Edge],
    here: Presence,
) -> None:
    """Add the manifest and its edges, or find that the same one is here already."""
    found = manifests.media_type(connection, repository, new.digest)
    if found is None:
        manifests.put(connection, act, repository, new)
        edges.record(connection, repository, new.digest, named, here)
    elif found == new.media_type:
        manifests.renew(connection, act, repository, new.digest)
    else:
        raise ManifestTypeMismatch(new.digest, found=new.media_type, expected=found)


def point(
    connection: Connection,
    act: Act,
    name: RepositoryName,
    repository: int,
    digest: Digest,
    pointed: Sequence[Tag],
) -> None:
    """Point the tags to the manifest, and write down the whole push."""
    for tag in pointed:
        tags.change(connection, act, repository, tag, digest)
    detail = json.dumps({"tags": [str(tag) for tag in pointed]}) if pointed else ""
    acts.record(connection, act, "manifest.push", str(name), str(digest), detail)


# The two deletes.


def untag(
    connection: Connection, act: Act, name: RepositoryName, repository: int, tag: Tag
) -> None:
    if not tags.change(connection, act, repository, tag, None):
        raise ManifestUnknown(tag)
    acts.record(connection, act, "tag.delete", str(name), str(tag))


def remove(
    connection: Connection, act: Act, name: RepositoryName, repository: int, digest: Digest
) -> None:
    removed = tags.on_manifest(connection, repository, digest)
    for tag in removed:
        tags.change(connection, act, repository, tag, None)
    if not manifests.remove(connection, repository, digest):
        raise ManifestUnknown(digest)
    detail = json.dumps({"tags": [str(tag) for tag in removed]}) if removed else ""
    acts.record(connection, act, "manifest.delete", str(name), str(digest), detail)


# Values.


def all_tags(reference: Tag | Digest, more: Sequence[Tag]) -> tuple[Tag, ...]:
    """Each tag once, in the order given."""
    first = (reference,) if isinstance(reference, Tag) else ()
    return tuple(dict.fromkeys((*first, *more)))


def new_manifest(digest: Digest, manifest: ImageManifest | ImageIndex) -> NewManifest:
    """The columns: for an image without an artifact type, its config's media type stands in."""
    artifact_type = manifest.artifact_type
    if not artifact_type and isinstance(manifest, ImageManifest):
        artifact_type = manifest.config.media_type
    return NewManifest(
        digest=digest,
        media_type=manifest.media_type,
        content=manifest.content,
        artifact_type=artifact_type,
        subject=None if manifest.subject is None else manifest.subject.digest,
        annotations=json.dumps(dict(manifest.annotations), separators=(",", ":")),
    )


def stored_digest(text: str) -> Digest:
    """A digest that was judged when it was stored."""
    algorithm, _, encoded = text.partition(":")
    return Digest(algorithm, encoded)
