"""Tags: the queries, and the one door through which a tag changes."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, insert, select, update

from oci.digest import Digest
from oci.reference import RepositoryName, Tag
from registry.storage.metadata import manifests
from registry.storage.metadata.audit import Change
from registry.storage.metadata.tables import deleted_repositories, repositories, tag_history, tags


def set_tag(
    connection: Connection, change: Change, repository: int, tag: Tag, digest: Digest | None
) -> bool:
    """Point a tag to a manifest, or remove it (None); whether that changed anything.

    Everything that moves a tag comes through here, and leaves a row of history.  The manifest
    that loses the tag has a lease from now on.
    """
    key = (tags.c.repository_id == repository) & (tags.c.name == str(tag))
    old = connection.execute(select(tags.c.digest).where(key)).scalar_one_or_none()
    new = None if digest is None else str(digest)
    if old == new:
        return False
    version = _last_version(connection, repository, tag) + 1
    if new is None:
        connection.execute(delete(tags).where(key))
    else:
        values = {"digest": new, "version": version, "updated_at": change.at}
        if old is None:
            values |= {"repository_id": repository, "name": str(tag)}
            connection.execute(insert(tags).values(**values))
        else:
            connection.execute(update(tags).where(key).values(**values))
    if old is not None:
        manifests.renew(connection, change, repository, Digest.parse(old))
    _append_history(connection, change, repository, tag, version, new)
    return True


def find(connection: Connection, repository: int, tag: Tag) -> Digest | None:
    """The manifest the tag points to."""
    row = tags.c
    found = connection.scalar(
        select(row.digest).where(row.repository_id == repository, row.name == str(tag))
    )
    return None if found is None else Digest.parse(found)


def last_digest(connection: Connection, repository: int, tag: Tag) -> Digest | None:
    """The manifest the tag pointed to last, be it deleted since."""
    row = tag_history.c
    found = connection.scalar(
        select(row.digest)
        .where(row.repository_id == repository, row.tag == str(tag), row.digest.is_not(None))
        .order_by(row.version.desc())
        .limit(1)
    )
    return None if found is None else Digest.parse(found)


@dataclass(frozen=True, slots=True)
class TagChange:
    """One step in the history of a tag: who pointed it where, or deleted it (None), and when."""

    tag: str
    version: int
    at: int
    identity: str
    before: str | None
    after: str | None


def history(connection: Connection, name: RepositoryName, tag: Tag | None) -> list[TagChange]:
    """Every change of the tag, or of all tags, oldest first; of deleted repositories as well."""
    row, gone = tag_history.c, deleted_repositories.c
    before = func.lag(row.digest).over(
        partition_by=(row.repository_id, row.tag), order_by=row.version
    )
    same = select(gone.repository_id).where(gone.name == str(name))
    query = (
        select(row.tag, row.version, row.changed_at, row.changed_by, before, row.digest)
        .join(repositories, repositories.c.id == row.repository_id)
        .where((repositories.c.name == str(name)) | row.repository_id.in_(same))
        .order_by(row.id)
    )
    if tag is not None:
        query = query.where(row.tag == str(tag))
    return [TagChange(*found) for found in connection.execute(query)]


def tags_of(connection: Connection, repository: int, digest: Digest) -> list[Tag]:
    """The tags that point to the manifest."""
    query = (
        select(tags.c.name)
        .where(tags.c.repository_id == repository, tags.c.digest == str(digest))
        .order_by(tags.c.name)
    )
    return [Tag(name) for name in connection.scalars(query)]


def names(
    connection: Connection, repository: int, *, last: str | None, limit: int | None
) -> list[Tag]:
    """Tags after ``last`` in byte order; ``last`` need not be there."""
    query = (
        select(tags.c.name)
        .where(tags.c.repository_id == repository)
        .order_by(tags.c.name)
        .limit(limit)
    )
    if last is not None:
        query = query.where(tags.c.name > last)
    return [Tag(name) for name in connection.scalars(query)]


def _last_version(connection: Connection, repository: int, tag: Tag) -> int:
    """Versions go on counting across a deletion: history never has two of one number."""
    query = (
        select(tag_history.c.version)
        .where(tag_history.c.repository_id == repository, tag_history.c.tag == str(tag))
        .order_by(tag_history.c.version.desc())
        .limit(1)
    )
    return connection.scalar(query) or 0


def _append_history(
    connection: Connection,
    change: Change,
    repository: int,
    tag: Tag,
    version: int,
    digest: str | None,
) -> None:
    connection.execute(
        insert(tag_history).values(
            repository_id=repository,
            tag=str(tag),
            version=version,
            digest=digest,
            changed_at=change.at,
            changed_by=change.identity,
        )
    )
