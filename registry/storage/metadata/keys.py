"""Keys: a row of ``memberships`` or ``manifests`` by its repository and its digest."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import TypeVar

from sqlalchemy import ColumnElement, Table, tuple_

from oci.digest import Digest

T = TypeVar("T")

# Bytes of contents per transaction: some milliseconds of the write lock.
BYTES_PER_BATCH = 1024 * 1024

Key = tuple[int, str]
"""Row id of the repository, and digest."""


def stored_digest(text: str) -> Digest:
    """A digest from the database, which was checked when it was stored."""
    algorithm, _, encoded = text.partition(":")
    return Digest(algorithm, encoded)


def among(table: Table, keys: Sequence[Key]) -> ColumnElement[bool]:
    """The condition that selects the rows with these keys.

    SQLite uses an index for a list of single values; for pairs it scans the whole table.
    """
    pair = tuple_(table.c.repository_id, table.c.digest)
    return table.c.digest.in_({digest for _, digest in keys}) & pair.in_(keys)


def up_to_bytes(sizes: Sequence[tuple[T, int]], most: int = BYTES_PER_BATCH) -> list[T]:
    """The first of some rows whose sizes come to ``most`` bytes together; one at least."""
    ends = accumulate(size for _, size in sizes)
    return [row for (row, size), end in zip(sizes, ends, strict=True) if end - size < most]
