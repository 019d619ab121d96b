"""Usage: exact bytes of a repository or of a tag, shared and unique."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, exists, func, select

from oci.digest import Digest
from registry.storage.metadata.tables import blobs, manifest_edges, manifests, memberships, tags

DIGESTS_PER_BATCH = 500


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes of blobs, each blob counted once, and of manifests.

    Deleting the repository or tag would free ``unique`` bytes of blobs, and not ``shared`` ones.
    """

    manifests: int
    manifest_bytes: int
    blobs: int
    unique: int
    shared: int

    @property
    def bytes(self) -> int:
        return self.manifest_bytes + self.unique + self.shared


@dataclass(slots=True)
class Content:
    """Reachable content: the sizes of manifests, and of blobs, by digest."""

    manifests: dict[str, int]
    blobs: dict[str, int]


def of_repository(connection: Connection, repository: int) -> Size:
    """Size of all members; blobs that other repositories have too are shared."""
    other = memberships.alias("other")
    is_shared = exists().where(
        other.c.digest == memberships.c.digest, other.c.repository_id != repository
    )
    row = connection.execute(
        select(
            func.count(),
            func.coalesce(func.sum(case((is_shared, 0), else_=blobs.c.size)), 0),
            func.coalesce(func.sum(case((is_shared, blobs.c.size), else_=0)), 0),
        )
        .select_from(memberships)
        .join(blobs, blobs.c.digest == memberships.c.digest)
        .where(memberships.c.repository_id == repository)
    ).one()
    mine = manifests.c.repository_id == repository
    count, size = connection.execute(
        select(func.count(), func.coalesce(func.sum(manifests.c.size), 0)).where(mine)
    ).one()
    return Size(count, size, row[0], row[1], row[2])


def of_manifest(connection: Connection, repository: int, digest: Digest, tag: str) -> Size:
    """Size of everything that a tag reaches; blobs that would stay without the tag are shared."""
    content = reachable(connection, repository, [str(digest)])
    kept = {
        each
        for each in content.manifests
        if _has_other_tag(connection, repository, each, tag)
        or any(
            parent not in content.manifests
            for parent in _parents(connection, repository, each, manifest_edges.c.kind == "child")
        )
    }
    stays = reachable(connection, repository, kept)
    unique = shared = 0
    for blob, size in content.blobs.items():
        if blob in stays.blobs or _is_elsewhere(connection, repository, blob, content):
            shared += size
        else:
            unique += size
    total = sum(content.manifests.values())
    return Size(len(content.manifests), total, len(content.blobs), unique, shared)


def reachable(connection: Connection, repository: int, roots: Iterable[str]) -> Content:
    """The manifests and blobs reachable from these manifests, themselves included; each once."""
    content, waiting = Content({}, {}), list(roots)
    while waiting:
        fresh = [each for each in dict.fromkeys(waiting) if each not in content.manifests]
        content.manifests.update(_manifest_sizes(connection, repository, fresh))
        waiting = []
        for row in _edges(connection, repository, fresh):
            if row.kind == "child":
                waiting.append(row.child)
            if row.size is not None:
                content.blobs[row.child] = row.size
    return content


def _manifest_sizes(
    connection: Connection, repository: int, digests: list[str]
) -> Iterator[tuple[str, int]]:
    row = manifests.c
    for batch in _batches(digests):
        for found in connection.execute(
            select(row.digest, row.size).where(
                row.repository_id == repository, row.digest.in_(batch)
            )
        ):
            yield found.digest, found.size


def _edges(connection: Connection, repository: int, parents: list[str]) -> Iterator[Any]:
    edge, member = manifest_edges.c, memberships.c
    for batch in _batches(parents):
        yield from connection.execute(
            select(edge.kind, edge.child, blobs.c.size)
            .outerjoin(
                memberships, (member.repository_id == repository) & (member.digest == edge.child)
            )
            .outerjoin(blobs, blobs.c.digest == member.digest)
            .where(edge.repository_id == repository, edge.parent.in_(batch))
        )


def _has_other_tag(connection: Connection, repository: int, digest: str, tag: str) -> bool:
    row = tags.c
    query = select(row.name).where(
        row.repository_id == repository, row.digest == digest, row.name != tag
    )
    return connection.scalar(query.limit(1)) is not None


def _parents(
    connection: Connection, repository: int, child: str, *kind: ColumnElement[bool]
) -> list[str]:
    edge = manifest_edges.c
    query = select(edge.parent).where(edge.repository_id == repository, edge.child == child, *kind)
    return list(connection.scalars(query.distinct()))


def _is_elsewhere(connection: Connection, repository: int, blob: str, content: Content) -> bool:
    """Whether another repository has the blob, or a manifest outside ``content`` names it."""
    row = memberships.c
    other = select(row.digest).where(row.digest == blob, row.repository_id != repository)
    if connection.scalar(other.limit(1)) is not None:
        return True
    parents = _parents(connection, repository, blob)
    return any(parent not in content.manifests for parent in parents)


def _batches(digests: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(digests), DIGESTS_PER_BATCH):
        yield digests[start : start + DIGESTS_PER_BATCH]
