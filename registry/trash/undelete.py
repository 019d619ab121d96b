"""Undelete: bring back deleted or collected content until its bytes are purged.

A manifest comes back with the blobs that it had, a blob to the repositories that it was in, and a
tag to the manifest that it last pointed to.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from functools import partial

from oci.digest import Digest
from oci.manifest import parse_manifest
from oci.reference import RepositoryName, Tag
from registry.errors import CommandRefused
from registry.services import manifest_push as steps
from registry.services.context import RegistryState
from registry.services.edge_links import link_rest
from registry.storage.blobs.contract import unpaced
from registry.storage.database.contract import Connection
from registry.storage.metadata import audit, blobs, edges, manifests, repositories, tags
from registry.storage.metadata.audit import Change
from registry.storage.metadata.trash import manifests as trashed_manifests
from registry.storage.metadata.trash import rows as trash_rows
from registry.storage.metadata.trash.manifests import TrashedManifest
from registry.storage.metadata.trash.rows import TrashedFile


@dataclass(slots=True)
class UndeleteResult:
    """The content that came back, and the tags that did not."""

    manifests: list[str] = field(default_factory=list)
    blobs: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    skipped_tags: list[str] = field(default_factory=list)
    """Tags that point to another manifest now, and were not changed."""

    def add(self, other: UndeleteResult) -> None:
        for each in fields(self):
            getattr(self, each.name).extend(getattr(other, each.name))


async def undelete_digest(state: RegistryState, identity: str, digest: Digest) -> UndeleteResult:
    """Undelete a blob or a manifest in every repository that had it."""
    async with state.trash_lock:
        targets = await state.database.operator.read(
            lambda connection: trash_rows.manifest_targets(connection, digest)
        )
        if targets.repositories:
            return await undelete_manifests(state, identity, digest, targets.repositories)
        if targets.deleted:
            raise InDeletedRepository(digest, targets.deleted)
        return await undelete_blob(state, identity, digest)


class InDeletedRepository(CommandRefused):
    """The content's repository is deleted itself."""

    def __init__(self, digest: Digest, names: Sequence[str]) -> None:
        super().__init__(
            f"{digest} was in the repository {names[0]}, which is deleted: "
            f"bring that back first, with `registry repo undelete {names[0]}`"
        )


async def undelete_manifests(
    state: RegistryState, identity: str, digest: Digest, targets: Sequence[int]
) -> UndeleteResult:
    """Bring a manifest back, one repository after the other."""
    await check_files(state, digest, targets)

    def unit(repository: int, connection: Connection) -> UndeleteResult | None:
        # Skip a repository that was deleted meanwhile.
        if repository not in trash_rows.manifest_targets(connection, digest).repositories:
            return None
        result = UndeleteResult()
        change = state.begin_change(connection, identity)
        undelete_manifest(connection, change, repository, digest, result)
        return result

    found = await in_each(state, targets, unit)
    if found is None:
        raise CommandRefused(f"{digest} is not in the trash any more: try again")
    return found


async def in_each(
    state: RegistryState,
    targets: Sequence[int],
    unit: Callable[[int, Connection], UndeleteResult | None],
) -> UndeleteResult | None:
    """Run the unit on each repository, by its row id; None where it found nothing in any."""
    names = await state.database.operator.read(
        lambda connection: repositories.names_of(connection, targets)
    )
    whole: UndeleteResult | None = None
    for repository, name in names.items():
        found = await state.database.write(partial(unit, repository), on=name, grows=True)
        if found is not None:
            await link_all(state, name, found)
            whole = whole or UndeleteResult()
            whole.add(found)
    return whole


async def undelete_blob(state: RegistryState, identity: str, digest: Digest) -> UndeleteResult:
    """Undelete a blob's bytes and memberships."""
    file = await state.database.operator.read(
        lambda connection: trash_rows.find_file(connection, digest)
    )
    if file is not None:
        await check_file(state, file)

    targets = await state.database.operator.read(
        lambda connection: trash_rows.blob_targets(connection, digest)
    )
    if not targets.repositories and targets.deleted:
        raise InDeletedRepository(digest, targets.deleted)

    def unit(repository: int, connection: Connection) -> UndeleteResult | None:
        if repository not in trash_rows.blob_targets(connection, digest).repositories:
            return None
        result = UndeleteResult()
        change = state.begin_change(connection, identity)
        undelete_membership(connection, change, repository, digest, result)
        return result

    found = await in_each(state, targets.repositories, unit)
    if found is None:
        raise CommandRefused(f"{digest} is not in the trash: it was not deleted, or is purged")
    return found


async def undelete_tag(
    state: RegistryState, identity: str, name: RepositoryName, tag: Tag
) -> UndeleteResult:
    """Point a deleted tag to its last manifest, and undelete that if necessary."""

    def find(connection: Connection) -> tuple[int, Digest, bool]:
        repository = repositories.find(connection, name)
        if repository is None:
            raise CommandRefused(f"no repository {name}")
        present = manifests.find_head(connection, name, tag)
        if present is not None:
            raise CommandRefused(f"{name}:{tag} exists, and points to {present.digest}")
        digest = tags.last_digest(connection, repository, tag)
        if digest is None:
            raise CommandRefused(f"{name}:{tag} never existed")
        is_here = manifests.media_type(connection, repository, digest) is not None
        return repository, digest, is_here

    async with state.trash_lock:
        repository, digest, is_here = await state.database.operator.read(find)
        if not is_here:
            await check_files(state, digest, [repository])

        def unit(connection: Connection) -> UndeleteResult:
            result = UndeleteResult()
            if repositories.find(connection, name) != repository:
                raise CommandRefused(f"repository {name} was deleted meanwhile")
            change = state.begin_change(connection, identity)
            if manifests.media_type(connection, repository, digest) is None:
                undelete_manifest(connection, change, repository, digest, result)
            retag(connection, change, repository, [tag], digest, result)
            return result

        undeleted = await state.database.write(unit, on=name, grows=True)
        await link_all(state, name, undeleted)
        return undeleted


async def link_all(state: RegistryState, name: RepositoryName, found: UndeleteResult) -> None:
    """Link the edges that name what came back, as a push does."""
    for digest in (*found.manifests, *found.blobs):
        await link_rest(state.database, name, Digest.parse(digest))


def undelete_manifest(
    connection: Connection, change: Change, repository: int, digest: Digest, result: UndeleteResult
) -> None:
    """Undelete a manifest, its edges and tags, after the content that it named."""
    found = trashed_manifests.find_manifest(connection, repository, digest)
    if found is None:
        raise CommandRefused(f"manifest {digest} is purged")
    if Digest.of(found.content, digest.algorithm) != digest:
        raise CommandRefused(f"the bytes of manifest {digest} are corrupt: it stays in the trash")
    manifest = parse_manifest(found.content, found.media_type)
    named = steps.edges_of(manifest)
    for each in dict.fromkeys(edge.digest for edge in named):
        if str(each) in found.present:
            undelete_named(connection, change, repository, each, result)
    here = edges.find_present(connection, repository, named)
    if manifests.media_type(connection, repository, digest) is None:
        steps.store_manifest(
            connection, change, repository, steps.new_manifest(digest, manifest), named, here
        )
        result.manifests.append(str(digest))
        name = repositories.name_of(connection, repository)
        audit.append(connection, change, "manifest.undelete", name, str(digest))
    trashed_manifests.delete_manifest(connection, repository, digest)
    retag(connection, change, repository, found.tags, digest, result)


def undelete_named(
    connection: Connection, change: Change, repository: int, digest: Digest, result: UndeleteResult
) -> None:
    """Undelete the manifest or the blob that an undeleted manifest names."""
    if manifests.media_type(connection, repository, digest) is not None:
        return
    if trashed_manifests.find_manifest(connection, repository, digest) is not None:
        undelete_manifest(connection, change, repository, digest, result)
    else:
        undelete_membership(connection, change, repository, digest, result)


def undelete_membership(
    connection: Connection, change: Change, repository: int, digest: Digest, result: UndeleteResult
) -> None:
    """Undelete a membership, and the blob's row if it has none."""
    if blobs.find(connection, digest) is None:
        file = trash_rows.find_file(connection, digest)
        if file is None or blobs.exists(connection, digest):
            raise CommandRefused(f"the bytes of blob {digest} are purged")
        trash_rows.undelete_file(connection, change, file)
    if not blobs.is_member(connection, repository, digest):
        result.blobs.append(str(digest))
        name = repositories.name_of(connection, repository)
        audit.append(connection, change, "blob.undelete", name, str(digest))
    blobs.add_member(connection, change, repository, digest, None)
    trash_rows.delete_member(connection, repository, digest)


def retag(
    connection: Connection,
    change: Change,
    repository: int,
    names: Sequence[Tag],
    digest: Digest,
    result: UndeleteResult,
) -> None:
    """Point tags back, except those that point elsewhere now."""
    present = tags.current_digests(connection, repository, names)
    result.skipped_tags += sorted(name for name, where in present.items() if where != str(digest))
    absent = [tag for tag in names if str(tag) not in present]
    back = [str(tag) for tag in tags.change_all(connection, change, repository, absent, digest)]
    if back:
        name, detail = repositories.name_of(connection, repository), json.dumps({"tags": back})
        audit.append(connection, change, "tag.undelete", name, str(digest), detail)
    result.tags += back


async def check_files(state: RegistryState, digest: Digest, targets: Sequence[int]) -> None:
    """Raise CommandRefused unless all bytes that the manifest needs are present and correct."""

    def unit(connection: Connection) -> list[TrashedFile]:
        found: dict[str, TrashedFile] = {}
        for repository in targets:
            for file in needed_files(connection, repository, digest):
                found[file.physical] = file
        return list(found.values())

    for file in await state.database.operator.read(unit):
        await check_file(state, file)


def needed_files(connection: Connection, repository: int, digest: Digest) -> list[TrashedFile]:
    """The files in the trash that a manifest and its children need."""
    files, waiting, seen = [], [digest], set()
    while waiting:
        each = waiting.pop()
        if each in seen:
            continue
        seen.add(each)
        manifest: TrashedManifest | None = trashed_manifests.find_manifest(
            connection, repository, each
        )
        if manifest is not None:
            waiting.extend(Digest.parse(child) for child in manifest.present)
        elif blobs.find(connection, each) is None:
            file = trash_rows.find_file(connection, each)
            files.extend([] if file is None else [file])
    return files


async def check_file(state: RegistryState, file: TrashedFile) -> None:
    """Raise CommandRefused if the file is missing or does not match the digest."""
    expected = Digest.parse(file.digest)
    actual = await state.store.verify(file.physical, expected.algorithm, unpaced)
    if actual is None:
        raise CommandRefused(f"the file of blob {file.digest} is gone")
    if actual != expected:
        raise CommandRefused(f"the file of blob {expected} is corrupt: it stays in the trash")
