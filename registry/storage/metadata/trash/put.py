"""Put into the trash: deleted memberships, and the files of blobs without any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, exists, insert

from oci.digest import Digest
from registry.storage.database.statements import Prepared, as_list, columns_of, values_of
from registry.storage.metadata.audit import Change
from registry.storage.metadata.keys import Key
from registry.storage.metadata.tables import blobs, memberships, trash, trash_members


@dataclass(frozen=True, slots=True)
class Freed:
    """Counts of one delete: memberships, blobs that no repository has any more, and their bytes."""

    members: int = 0
    blobs: int = 0
    bytes: int = 0


def move_to_trash(connection: Connection, change: Change, gone: Sequence[Key]) -> Freed:
    """Record deleted memberships, and move blobs without any membership to the trash."""
    if not gone:
        return Freed()
    when = {"at": change.at, "epoch": change.epoch}
    _TRASH_MEMBERS.run(connection, keys=as_list(gone), **when)
    freed = _DELETE_WITHOUT_MEMBER.run(connection, digests=as_list([digest for _, digest in gone]))
    _TRASH_BYTES.run(connection, files=as_list(freed), run=change.identity, **when)
    return Freed(len(gone), len(freed), sum(size for _, _, size in freed))


def move_replaced_to_trash(
    connection: Connection, change: Change, digest: Digest, physical: str, size: int
) -> None:
    """Move the bytes to the trash that the digest's row named until now."""
    files = as_list([(physical, str(digest), size)])
    _TRASH_BYTES.run(connection, files=files, run=None, at=change.at, epoch=change.epoch)


_TRASH_MEMBERS = Prepared(
    insert(trash_members)
    .prefix_with("OR REPLACE")
    .from_select(
        ["repository_id", "digest", "deleted_at", "epoch"],
        columns_of("keys", 0, 1).add_columns(bindparam("at"), bindparam("epoch")),
    )
)
_DELETE_WITHOUT_MEMBER = Prepared(
    delete(blobs)
    .where(
        blobs.c.digest.in_(values_of("digests")),
        ~exists().where(memberships.c.digest == blobs.c.digest),
    )
    .returning(blobs.c.physical, blobs.c.digest, blobs.c.size)
)
_TRASH_BYTES = Prepared(
    insert(trash).from_select(
        ["physical", "digest", "size", "deleted_at", "epoch", "run"],
        columns_of("files", 0, 1, 2).add_columns(
            bindparam("at"), bindparam("epoch"), bindparam("run")
        ),
    )
)
