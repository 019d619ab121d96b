"""FileCount: the number of files in a store, and of orphans among them.

A crash leaves a few orphans.  Many orphans mean that the database does not belong to these files:
then the files are all that is left of acknowledged content.
"""

from __future__ import annotations

from dataclasses import dataclass

# Orphans up to this share of all files, or up to ALWAYS_ALLOWED, are removed without asking.
MAX_ORPHANS_PERCENT = 10
ALWAYS_ALLOWED = 10


@dataclass(slots=True)
class FileCount:
    """The counts of files and orphans."""

    files: int = 0
    orphans: int = 0
    orphan_bytes: int = 0

    @property
    def has_too_many_orphans(self) -> bool:
        """Whether there are more orphans than a crash leaves.

        >>> FileCount(files=1000, orphans=100).has_too_many_orphans
        False
        >>> FileCount(files=1000, orphans=101).has_too_many_orphans
        True
        >>> FileCount(files=10, orphans=10).has_too_many_orphans
        False
        """
        return self.orphans > max(ALWAYS_ALLOWED, self.files * MAX_ORPHANS_PERCENT // 100)
