"""FileCount: how many files a store has, and how many of them no row names.

A crash leaves a few such files, which are called orphans.  Many of them mean that the database is
not the one of these files: then they are all that is left of what was acknowledged.
"""

from __future__ import annotations

from dataclasses import dataclass

# Of all files, this share may be removed without being asked for; and a few in any case.
MAX_ORPHANS_PERCENT = 10
ALWAYS_ALLOWED = 10


@dataclass(slots=True)
class FileCount:
    """The files of a store, and those of them that no row names."""

    files: int = 0
    orphans: int = 0
    orphan_bytes: int = 0

    @property
    def has_too_many_orphans(self) -> bool:
        """Whether more of them than a crash leaves.

        >>> FileCount(files=1000, orphans=100).has_too_many_orphans
        False
        >>> FileCount(files=1000, orphans=101).has_too_many_orphans
        True
        >>> FileCount(files=10, orphans=10).has_too_many_orphans
        False
        """
        return self.orphans > max(ALWAYS_ALLOWED, self.files * MAX_ORPHANS_PERCENT // 100)
