"""Report: the counts of one pass of the collector, or of a dry run."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(slots=True)
class GcReport:
    """Counts and bytes.  Bytes come back to the disk when files go, not when rows do."""

    manifests: int = 0
    """Untagged manifests."""
    members: int = 0
    """Memberships of blobs in repositories."""
    blobs: int = 0
    """Blobs that no repository had any more."""
    blob_bytes: int = 0
    """… and their bytes, now in the trash."""
    repositories: int = 0
    """Deleted repositories whose rows are cleared away."""
    uploads: int = 0
    upload_bytes: int = 0
    purged: int = 0
    purged_bytes: int = 0
    """Files of the trash whose time to come back is over."""
    orphans: int = 0
    orphan_bytes: int = 0
    """Files that no row names."""
    kept_orphans: int = 0
    kept_orphan_bytes: int = 0
    """Files that no row names, kept because they are too many for a crash to have left."""
    failed: int = 0
    """Files that could not be removed; the next pass tries them again."""
    unknown_files: int = 0
    """Files with a name that the store never gives: left alone."""

    @property
    def freed_bytes(self) -> int:
        """What comes back to the disk."""
        return self.upload_bytes + self.purged_bytes + self.orphan_bytes

    def document(self) -> dict[str, int]:
        return {**asdict(self), "freed_bytes": self.freed_bytes}
