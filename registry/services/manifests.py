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
from functools import partial

from oci.digest import Digest
from oci.reference import RepositoryName, Tag
from registry.errors import ManifestUnknown, NameUnknown
from registry.services import manifest_push as steps
from registry.services.context import RepositoryContext
from registry.services.edge_links import link_rest
from registry.services.identity.locks import check_manifest, check_move
from registry.services.leases import check_manifest_and_renew
from registry.storage.database.contract import Connection
from registry.storage.metadata import audit, edges, manifests, repositories, tags
from registry.storage.metadata.audit import Change
from registry.storage.metadata.manifests import ManifestHead, StoredManifest

# Tags per transaction: a few milliseconds of the write lock.
TAGS_PER_BATCH = 200
# Undelete restores at most this many tags of a manifest; others can be undeleted one by one.
MAX_UNDELETED_TAGS = 10_000


@dataclass(frozen=True, slots=True)
class PushedManifest:
    """The result of a push; ``absent`` has the missing digests that the policy allowed."""

    digest: Digest
    subject: Digest | None
    tags: tuple[Tag, ...]
    absent: tuple[Digest, ...] = ()


@dataclass(frozen=True, slots=True)
class Manifests:
    """The manifests of one repository."""

    _context: RepositoryContext

    async def pull(self, reference: Tag | Digest) -> StoredManifest:
        """The manifest, by one query without a thread.  Raises ManifestUnknown or NameUnknown."""
        name = self._context.name
        found = await self._context.database.look(manifests.CONTENT.by(reference), name, reference)
        if found is None:
            raise await self._unknown(reference)
        return found

    async def stat(self, reference: Tag | Digest) -> ManifestHead:
        """As ``pull``, without the bytes.  Renews the lease for a pusher."""
        name = self._context.name
        if self._context.may_push:
            found = await check_manifest_and_renew(self._context, reference)
        else:
            found = await self._context.database.look(manifests.HEAD.by(reference), name, reference)
        if found is None:
            raise await self._unknown(reference)
        return found

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
        """Store the exact bytes, and point the tags to them, atomically.

        Raises ManifestInvalid, DigestMismatch, ManifestTypeMismatch, or
        ManifestReferencesMissing with a ManifestBlobUnknown for each of the first digests that
        should be in this repository and are not.
        Raises PreconditionFailed unless the reference leads to ``if_match``, or nowhere, at
        the moment of the change.
        """
        context = self._context
        prepared = await steps.prepare(content, media_type, reference)
        new, named, digest = prepared.new, prepared.named, prepared.new.digest
        pointed = steps.all_tags(reference, tags)

        def unit(connection: Connection) -> tuple[Digest, ...]:
            steps.check_precondition(connection, context.name, reference, if_match, if_absent)
            change = context.begin_change(connection)
            repository = repositories.ensure(connection, change, context.name)
            here = edges.find_present(connection, repository, named)
            absent = steps.check_references(named, here, context.state.policy.sparse)
            check_move(connection, context.name, repository, pointed, digest, context.role)
            steps.store_manifest(connection, change, repository, new, named, here)
            steps.set_tags(connection, change, context.name, repository, digest, pointed)
            return absent

        absent = await context.database.write(unit, on=context.name, grows=True)
        await link_rest(context.database, context.name, digest)
        return PushedManifest(digest, new.subject, pointed, absent)

    async def delete(self, reference: Tag | Digest) -> None:
        """Delete a tag alone, or, by digest, a manifest and every tag that points to it.

        A manifest with many tags, children or referrers is deleted in several short transactions,
        itself in the last.  If the registry ends in between, some tags are gone, and repeating the
        delete continues.  Raises TagLocked, with all tags there, if a lock holds one of them.
        """
        context = self._context

        if isinstance(reference, Tag):
            await context.database.write(partial(untag, context, reference), on=context.name)
            return
        await check_manifest(context.state, context.name, reference)
        removed: list[Tag] = []
        is_gone = False

        def unit(connection: Connection) -> tuple[list[Tag], bool]:
            repository = require_repository(connection, context.name)
            change = context.begin_change(connection)
            return delete_some(connection, change, context.name, repository, reference, removed)

        while not is_gone:
            some, is_gone = await context.database.write(unit, on=context.name)
            removed += some[: MAX_UNDELETED_TAGS - len(removed)]

    async def _unknown(self, reference: Tag | Digest) -> ManifestUnknown | NameUnknown:
        name = self._context.name
        repository = await self._context.database.look(repositories.ID, name)
        return NameUnknown(name) if repository is None else ManifestUnknown(reference)


def require_repository(connection: Connection, name: RepositoryName) -> int:
    """The repository's row id; raises NameUnknown."""
    repository = repositories.find(connection, name)
    if repository is None:
        raise NameUnknown(name)
    return repository


def untag(context: RepositoryContext, tag: Tag, connection: Connection) -> None:
    repository = require_repository(connection, context.name)
    change = context.begin_change(connection)
    check_move(connection, context.name, repository, [tag], None, context.role)
    removed = tags.change_all(connection, change, repository, [tag], None)
    if not removed:
        raise ManifestUnknown(tag)
    audit.append(connection, change, "tag.delete", str(context.name), str(tag), removed[tag] or "")


def delete_some(
    connection: Connection,
    change: Change,
    name: RepositoryName,
    repository: int,
    digest: Digest,
    removed: Sequence[Tag],
) -> tuple[list[Tag], bool]:
    """Delete some tags of a manifest, and the manifest once few are left; true if it is deleted.

    ``removed``: the tags deleted before, which undelete restores too.
    Raises ManifestUnknown.
    """
    if manifests.media_type(connection, repository, digest) is None:
        raise ManifestUnknown(digest)
    some = tags.tags_of(connection, repository, digest, limit=TAGS_PER_BATCH)
    check_move(connection, name, repository, some, None, None)
    tags.change_all(connection, change, repository, some, None)
    detail = json.dumps({"tags": [str(tag) for tag in some]}) if some else ""
    if len(some) == TAGS_PER_BATCH:
        audit.append(connection, change, "tag.delete", str(name), str(digest), detail)
        return some, False
    if edges.unlink_some(connection, repository, digest) or manifests.renew_some_dependents(
        connection, change, repository, digest
    ):
        if some:
            audit.append(connection, change, "tag.delete", str(name), str(digest), detail)
        return some, False
    manifests.remove(connection, change, repository, digest, [*removed, *some])
    audit.append(connection, change, "manifest.delete", str(name), str(digest), detail)
    return some, True
