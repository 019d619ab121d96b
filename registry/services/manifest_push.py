"""Manifest push: its steps, in order.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-manifests
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass

from oci.digest import Digest, DigestMismatch
from oci.manifest import ImageIndex, ImageManifest, parse_manifest
from oci.reference import RepositoryName, Tag
from registry.config import Sparse
from registry.errors import (
    ManifestBlobUnknown,
    ManifestReferencesMissing,
    ManifestTypeMismatch,
    PreconditionFailed,
)
from registry.storage.database.contract import Connection
from registry.storage.metadata import audit, edges, manifests, tags
from registry.storage.metadata.audit import Change
from registry.storage.metadata.edges import Edge, EdgeKind, Presence
from registry.storage.metadata.manifests import NewManifest

# Below this, parsing takes less time than waking a thread.
PARSE_HERE_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class PreparedManifest:
    """A parsed manifest: the columns of its row, and its edges."""

    new: NewManifest
    named: tuple[Edge, ...]


async def prepare(
    content: bytes, media_type: str | None, reference: Tag | Digest
) -> PreparedManifest:
    """Parse and check the manifest, in a thread if it is large.

    Raises ManifestInvalid or DigestMismatch.
    """
    if len(content) <= PARSE_HERE_BYTES:
        return parse_and_check(content, media_type, reference)
    return await asyncio.to_thread(parse_and_check, content, media_type, reference)


def parse_and_check(
    content: bytes, media_type: str | None, reference: Tag | Digest
) -> PreparedManifest:
    manifest = parse_manifest(content, media_type)
    digest = check_digest(content, reference)
    return PreparedManifest(new_manifest(digest, manifest), edges_of(manifest))


def check_digest(content: bytes, reference: Tag | Digest) -> Digest:
    """The digest to store the manifest under: the one it was pushed by, or its sha256."""
    if isinstance(reference, Tag):
        return Digest.of(content)
    actual = Digest.of(content, reference.algorithm)
    if actual != reference:
        raise DigestMismatch(reference, actual)
    return actual


def edges_of(manifest: ImageManifest | ImageIndex) -> tuple[Edge, ...]:
    """The manifest's edges, in order.  A subject is no edge: it need not exist."""
    if isinstance(manifest, ImageIndex):
        return tuple(Edge("child", child.digest, child.size) for child in manifest.manifests)
    config = Edge("config", manifest.config.digest, manifest.config.size)
    layers = (
        Edge("foreign" if layer.is_foreign else "layer", layer.digest, layer.size)
        for layer in manifest.layers
    )
    return (config, *layers)


def check_precondition(
    connection: Connection,
    name: RepositoryName,
    reference: Tag | Digest,
    if_match: Digest | None,
    if_absent: bool,
) -> None:
    """Raise PreconditionFailed unless the reference still has the digest the client expects."""
    if if_match is None and not if_absent:
        return
    head = manifests.find_head(connection, name, reference)
    found = None if head is None else head.digest
    if (if_absent and found is not None) or (if_match is not None and found != if_match):
        raise PreconditionFailed(reference, found)


def check_references(named: Sequence[Edge], here: Presence, sparse: Sparse) -> tuple[Digest, ...]:
    """Check that the repository has every edge's digest, as far as the policy requires.

    A blob of another repository counts as absent (rule AZ-6).

    Returns the absent digests that the policy allows; foreign layers are not counted as absent.
    """
    missing = {
        edge.digest: edge.kind for edge in named if edge.kind != "foreign" and not here.has(edge)
    }
    refused = {digest: kind for digest, kind in missing.items() if not may_be_absent(kind, sparse)}
    if refused:
        words = {"child": "manifest"}
        raise ManifestReferencesMissing(
            [ManifestBlobUnknown(digest, words.get(kind, kind)) for digest, kind in refused.items()]
        )
    return tuple(missing)


def may_be_absent(kind: EdgeKind, sparse: Sparse) -> bool:
    return sparse == "any" or (sparse == "index" and kind == "child")


def store_manifest(
    connection: Connection,
    change: Change,
    repository: int,
    new: NewManifest,
    named: Sequence[Edge],
    here: Presence,
) -> None:
    """Insert the manifest and its edges, or renew the lease of an existing one."""
    was_replaced = manifests.replace_corrupt(connection, repository, new)
    if was_replaced:
        edges.insert_edges(connection, repository, new.digest, named, here)
    found = manifests.media_type(connection, repository, new.digest)
    if found is None:
        manifests.put(connection, change, repository, new)
        edges.insert_edges(connection, repository, new.digest, named, here)
    elif found == new.media_type:
        manifests.renew_lease(connection, change, repository, new.digest)
    else:
        raise ManifestTypeMismatch(new.digest, found=new.media_type, expected=found)


def set_tags(
    connection: Connection,
    change: Change,
    name: RepositoryName,
    repository: int,
    digest: Digest,
    pointed: Sequence[Tag],
) -> None:
    """Point the tags to the manifest, and append the push to the audit, with what they left."""
    changed = tags.change_all(connection, change, repository, pointed, digest)
    moved = {str(tag): old for tag, old in changed.items() if old is not None}
    told = {"tags": [str(tag) for tag in pointed]} | ({"moved": moved} if moved else {})
    detail = json.dumps(told) if pointed else ""
    audit.append(connection, change, "manifest.push", str(name), str(digest), detail)


def all_tags(reference: Tag | Digest, more: Sequence[Tag]) -> tuple[Tag, ...]:
    """Every tag of the push once, in the order given."""
    first = (reference,) if isinstance(reference, Tag) else ()
    return tuple(dict.fromkeys((*first, *more)))


def new_manifest(digest: Digest, manifest: ImageManifest | ImageIndex) -> NewManifest:
    """The columns; the artifact type of an image defaults to its config's media type."""
    artifact_type = manifest.artifact_type
    if not artifact_type and isinstance(manifest, ImageManifest):
        artifact_type = manifest.config.media_type or None
    return NewManifest(
        digest=digest,
        media_type=manifest.media_type,
        content=manifest.content,
        artifact_type=artifact_type,
        subject=None if manifest.subject is None else manifest.subject.digest,
        annotations=json.dumps(dict(manifest.annotations), separators=(",", ":")),
    )
