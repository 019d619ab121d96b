"""Burial: memberships that have ended are remembered, and blobs that nobody has go to the trash."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, exists, insert

from registry.storage.metadata.acts import Act
from registry.storage.metadata.prepared import Prepared, as_list, values_of
from registry.storage.metadata.tables import blobs, repo_blobs, trash, trash_members

Key = tuple[int, str]
"""A row of ``repo_blobs`` or ``manifests``: repository and digest."""


@dataclass(frozen=True, slots=True)
class Freed:
    """What one delete took away: memberships, and blobs that no repository has any more."""

    members: int = 0
    blobs: int = 0
    bytes: int = 0


def bury(connection: Connection, act: Act, gone: Sequence[Key]) -> Freed:
    """Remember memberships that have ended, and put blobs that nobody has into the trash."""
    if not gone:
        return Freed()
    when = {"at": act.at, "epoch": act.epoch}
    members = [{"repository": key[0], "digest": key[1], **when} for key in gone]
    _FORGET.each(connection, members)
    _REMEMBER.each(connection, members)
    freed = _DROP_UNCLAIMED.all(connection, digests=as_list([digest for _, digest in gone]))
    files = [
        {"physical": physical, "digest": digest, "size": size, "run": act.identity, **when}
        for digest, size, physical in freed
    ]
    _TO_TRASH.each(connection, files)
    return Freed(len(gone), len(freed), sum(file["size"] for file in files))


_FORGET = Prepared(
    delete(trash_members).where(
        trash_members.c.repository_id == bindparam("repository"),
        trash_members.c.digest == bindparam("digest"),
    )
)
_REMEMBER = Prepared(
    insert(trash_members).values(
        repository_id=bindparam("repository"),
        digest=bindparam("digest"),
        deleted_at=bindparam("at"),
        epoch=bindparam("epoch"),
    )
)
_DROP_UNCLAIMED = Prepared(
    delete(blobs)
    .where(
        blobs.c.digest.in_(values_of("digests")),
        ~exists().where(repo_blobs.c.digest == blobs.c.digest),
    )
    .returning(blobs.c.digest, blobs.c.size, blobs.c.physical)
)
_TO_TRASH = Prepared(
    insert(trash).values(
        physical=bindparam("physical"),
        digest=bindparam("digest"),
        size=bindparam("size"),
        deleted_at=bindparam("at"),
        epoch=bindparam("epoch"),
        run=bindparam("run"),
    )
)
