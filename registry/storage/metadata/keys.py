"""Keys: a row of ``repo_blobs`` or ``manifests`` by its repository and its digest."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Table, tuple_

Key = tuple[int, str]
"""Row id of the repository, and digest."""


def among(table: Table, keys: Sequence[Key]) -> ColumnElement[bool]:
    """The rows with these keys.

    SQLite looks single values up in an index, and pairs only by reading the whole table.
    """
    pair = tuple_(table.c.repository_id, table.c.digest)
    return table.c.digest.in_({digest for _, digest in keys}) & pair.in_(keys)
