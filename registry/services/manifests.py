"""Manifests: pull, check, push, delete.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-manifests

A digest names a manifest by the algorithm it was pushed with.  The same bytes pushed under
sha256 and under sha512 are two manifests, each with its own tags, edges and referrers: what a
client deletes or lists by one name says nothing about the other.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from oci.digest import Digest
from oci.reference import RepositoryName, Tag
from registry.errors import ManifestUnknown, NameUnknown
from registry.services import manifest_push as steps
from registry.services.context import RepositoryContext
from registry.services.leases import check_manifest_and_renew
from registry.storage.database.sqlite import Connection
from registry.storage.metadata import audit, edges, manifests, repositories, tags
from registry.storage.metadata.audit import Change


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
    """What became of a push; ``absent`` is what it names, and the policy let be missing."""

    digest: Digest
    subject: Digest | None
    tags: tuple[Tag, ...]
    absent: tuple[Digest, ...] = ()


@dataclass(frozen=True, slots=True)
class Manifests:
    """The manifests of one repository."""

    _context: RepositoryContext

    async def pull(self, reference: Tag | Digest) -> StoredManifest:
        """Hot path: one query, no thread.  Raises ManifestUnknown or NameUnknown."""
        name = self._context.name
        found = await self._context.database.read_inline(
            lambda connection: manifests.content(connection, name, reference)
        )
        if found is None:
            raise await self._unknown(reference)
        digest, media_type, content = found
        return StoredManifest(stored_digest(digest), media_type, content)

    async def stat(self, reference: Tag | Digest) -> ManifestStat:
        """Hot path: as ``pull``, without the bytes.  To a pusher this is a promise."""
        name = self._context.name
        if self._context.may_push:
            found = await check_manifest_and_renew(self._context, reference)
        else:
            found = await self._context.database.read_inline(
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
        if_match: Digest | None = None,
        if_absent: bool = False,
    ) -> PushedManifest:
        """Store the exact bytes, and point the tags to them; all of it or nothing.

        Raises ManifestInvalid, DigestMismatch, ManifestTypeMismatch, or Refusals with one
        ManifestBlobUnknown for each digest that should be in this repository and is not.
        Raises PreconditionFailed unless the reference leads to ``if_match``, or nowhere, at
        the moment of the change.
        """
        context = self._context
        manifest = await steps.parse(content, media_type)
        digest = steps.check_digest(content, reference)
        named = steps.edges_of(manifest)
        pointed = steps.all_tags(reference, tags)
        new = steps.new_manifest(digest, manifest)

        def unit(connection: Connection) -> tuple[Digest, ...]:
            steps.check_precondition(connection, context.name, reference, if_match, if_absent)
            change = context.begin_change(connection)
            repository = repositories.ensure(connection, change, context.name)
            here = edges.presence(connection, repository, named)
            absent = steps.check_references(named, here, context.shared.policy.sparse)
            steps.store_manifest(connection, change, repository, new, named, here)
            steps.set_tags(connection, change, context.name, repository, digest, pointed)
            return absent

        absent = await context.database.write(unit, grows=True)
        return PushedManifest(digest, new.subject, pointed, absent)

    async def delete(self, reference: Tag | Digest) -> None:
        """By tag: the tag alone.  By digest: the manifest, and every tag that points to it."""
        context = self._context

        def unit(connection: Connection) -> None:
            repository = repositories.find(connection, context.name)
            if repository is None:
                raise NameUnknown(context.name)
            change = context.begin_change(connection)
            if isinstance(reference, Tag):
                untag(connection, change, context.name, repository, reference)
            else:
                remove(connection, change, context.name, repository, reference)

        await context.database.write(unit)

    async def _unknown(self, reference: Tag | Digest) -> ManifestUnknown | NameUnknown:
        name = self._context.name
        repository = await self._context.database.read_inline(
            lambda connection: repositories.find(connection, name)
        )
        return NameUnknown(name) if repository is None else ManifestUnknown(reference)


def untag(
    connection: Connection, change: Change, name: RepositoryName, repository: int, tag: Tag
) -> None:
    if not tags.set_tag(connection, change, repository, tag, None):
        raise ManifestUnknown(tag)
    audit.append(connection, change, "tag.delete", str(name), str(tag))


def remove(
    connection: Connection, change: Change, name: RepositoryName, repository: int, digest: Digest
) -> None:
    removed = tags.tags_of(connection, repository, digest)
    for tag in removed:
        tags.set_tag(connection, change, repository, tag, None)
    if not manifests.remove(connection, change, repository, digest, removed):
        raise ManifestUnknown(digest)
    detail = json.dumps({"tags": [str(tag) for tag in removed]}) if removed else ""
    audit.append(connection, change, "manifest.delete", str(name), str(digest), detail)


def stored_digest(text: str) -> Digest:
    """A digest that was judged when it was stored."""
    algorithm, _, encoded = text.partition(":")
    return Digest(algorithm, encoded)
