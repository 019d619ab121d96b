"""Tags: the queries, and the one door through which a tag changes."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select, update

from oci.digest import Digest
from oci.reference import Tag
from registry.storage.metadata import manifests
from registry.storage.metadata.acts import Act
from registry.storage.metadata.tables import tag_history, tags


def change(
    connection: Connection, act: Act, repository: int, tag: Tag, digest: Digest | None
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
        values = {"digest": new, "version": version, "updated_at": act.at}
        if old is None:
            values |= {"repository_id": repository, "name": str(tag)}
            connection.execute(insert(tags).values(**values))
        else:
            connection.execute(update(tags).where(key).values(**values))
    if old is not None:
        manifests.renew(connection, act, repository, Digest.parse(old))
    _remember(connection, act, repository, tag, version, new)
    return True


def on_manifest(connection: Connection, repository: int, digest: Digest) -> list[Tag]:
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


def _remember(
    connection: Connection, act: Act, repository: int, tag: Tag, version: int, digest: str | None
) -> None:
    connection.execute(
        insert(tag_history).values(
            repository_id=repository,
            tag=str(tag),
            version=version,
            digest=digest,
            changed_at=act.at,
            changed_by=act.identity,
        )
    )
