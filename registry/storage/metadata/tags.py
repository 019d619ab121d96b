"""Tags: the queries; every change of a tag goes through ``change_all``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from oci.digest import Digest
from oci.reference import RepositoryName, Tag
from registry.storage.database.statements import Prepared, as_list, columns_of, values_of
from registry.storage.metadata import manifests
from registry.storage.metadata.audit import Change
from registry.storage.metadata.tables import deleted_repositories, repositories, tag_history, tags


def set_tag(
    connection: Connection, change: Change, repository: int, tag: Tag, digest: Digest | None
) -> bool:
    """Point a tag to a manifest, or remove it (None); true if that changed anything.

    One tag of ``change_all``.
    """
    return bool(change_all(connection, change, repository, [tag], digest))


def change_all(
    connection: Connection,
    change: Change,
    repository: int,
    names: Sequence[Tag],
    digest: Digest | None,
) -> dict[Tag, str | None]:
    """Point tags to a manifest, or remove them (None); returns those that changed.

    Each with the digest that it had before, None for a new tag.

    Each change adds a row of history.  Manifests that lose a tag get a new lease.  Many tags take
    as few statements as one: other units wait for the write lock meanwhile.
    """
    given, new = as_list([str(tag) for tag in names]), None if digest is None else str(digest)
    old = current_digests(connection, repository, names)
    changed = [tag for tag in dict.fromkeys(names) if old.get(str(tag)) != new]
    if not changed:
        return {}
    versions = dict(_VERSIONS.run(connection, repository=repository, names=given))
    rows = as_list([[str(tag), versions.get(str(tag), 0) + 1] for tag in changed])
    values = {"repository": repository, "digest": new, "at": change.at, "rows": rows}
    _REMOVE.run(connection, repository=repository, rows=rows)
    if new is not None:
        _POINT.run(connection, **values)
    _APPEND_HISTORY.run(connection, **values, identity=change.identity)
    for lost in {old[str(tag)] for tag in changed if str(tag) in old}:
        manifests.renew_lease(connection, change, repository, Digest.parse(lost))
    return {tag: old.get(str(tag)) for tag in changed}


def current_digests(
    connection: Connection, repository: int, names: Sequence[Tag]
) -> dict[str, str]:
    """The given tags that exist, each with the digest that it points to."""
    given = as_list([str(tag) for tag in names])
    return dict(_POINTED.run(connection, repository=repository, names=given))


def find(connection: Connection, repository: int, tag: Tag) -> Digest | None:
    """The manifest the tag points to."""
    row = tags.c
    found = connection.scalar(
        select(row.digest).where(row.repository_id == repository, row.name == str(tag))
    )
    return None if found is None else Digest.parse(found)


def last_digest(connection: Connection, repository: int, tag: Tag) -> Digest | None:
    """The manifest the tag last pointed to, even if the tag is deleted."""
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
    """One change of a tag, with the digests before and after; None stands for no tag."""

    tag: str
    version: int
    at: int
    identity: str
    before: str | None
    after: str | None


def history(connection: Connection, name: RepositoryName, tag: Tag | None) -> list[TagChange]:
    """Every change of the tag, or of all tags, oldest first; deleted repositories included."""
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


def tags_of(
    connection: Connection,
    repository: int,
    digest: Digest,
    *,
    limit: int,
    last: str | None = None,
) -> list[Tag]:
    """The first tags that point to the manifest, after ``last`` in byte order."""
    query = (
        select(tags.c.name)
        .where(tags.c.repository_id == repository, tags.c.digest == str(digest))
        .order_by(tags.c.name)
        .limit(limit)
    )
    if last is not None:
        query = query.where(tags.c.name > last)
    return [Tag(name) for name in connection.scalars(query)]


def newest_change(connection: Connection) -> int:
    """The id of the newest change of any tag; later ones have higher ids."""
    return connection.scalar(select(func.max(tag_history.c.id))) or 0


def changed_since(connection: Connection, repository: int, newest: int) -> list[Tag]:
    """The tags that exist and were changed after that change."""
    row = tag_history.c
    # The sum keeps the index of the repository out: its whole history would be read.
    query = select(row.tag).where(row.id > newest, row.repository_id + 0 == repository)
    changed = [Tag(name) for name in sorted(set(connection.scalars(query)))]
    return [Tag(name) for name in sorted(current_digests(connection, repository, changed))]


def names(
    connection: Connection, repository: int, *, last: str | None, limit: int | None
) -> list[Tag]:
    """Tags after ``last`` in byte order; ``last`` need not exist."""
    query = (
        select(tags.c.name)
        .where(tags.c.repository_id == repository)
        .order_by(tags.c.name)
        .limit(limit)
    )
    if last is not None:
        query = query.where(tags.c.name > last)
    return [Tag(name) for name in connection.scalars(query)]


_POINTED = Prepared(
    select(tags.c.name, tags.c.digest).where(
        tags.c.repository_id == bindparam("repository"), tags.c.name.in_(values_of("names"))
    )
)
_VERSIONS = Prepared(
    select(tag_history.c.tag, func.max(tag_history.c.version))
    .where(
        tag_history.c.repository_id == bindparam("repository"),
        tag_history.c.tag.in_(values_of("names")),
    )
    .group_by(tag_history.c.tag)
)
_REMOVE = Prepared(
    delete(tags).where(
        tags.c.repository_id == bindparam("repository"), tags.c.name.in_(columns_of("rows", 0))
    )
)
_POINT = Prepared(
    insert(tags).from_select(
        ["name", "version", "repository_id", "digest", "updated_at"],
        columns_of("rows", 0, 1).add_columns(
            bindparam("repository"), bindparam("digest"), bindparam("at")
        ),
    )
)
_APPEND_HISTORY = Prepared(
    insert(tag_history).from_select(
        ["tag", "version", "repository_id", "digest", "changed_at", "changed_by"],
        columns_of("rows", 0, 1).add_columns(
            bindparam("repository"),
            bindparam("digest"),
            bindparam("at"),
            bindparam("identity"),
        ),
    )
)
