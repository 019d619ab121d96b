"""Report: the counts of one pass of the collector, or of a dry run."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(slots=True)
class GcReport:
    """Counts and bytes.  Removing files frees bytes, deleting rows does not."""

    manifests: int = 0
    """Untagged manifests."""
    members: int = 0
    """Memberships of blobs in repositories."""
    blobs: int = 0
    """Blobs without a membership."""
    blob_bytes: int = 0
    """The bytes of those blobs, now in the trash."""
    repositories: int = 0
    """Deleted repositories whose rows were deleted."""
    uploads: int = 0
    upload_bytes: int = 0
    purged: int = 0
    purged_bytes: int = 0
    """Files of the trash whose undelete window is over."""
    orphans: int = 0
    orphan_bytes: int = 0
    """Files that no row names."""
    kept_orphans: int = 0
    kept_orphan_bytes: int = 0
    """Orphans, kept because they are more than a crash leaves."""
    failed: int = 0
    """Files that could not be removed; the next pass tries them again."""
    unknown_files: int = 0
    """Files with a name that the store never gives: ignored."""

    @property
    def freed_bytes(self) -> int:
        """The bytes freed on the disk."""
        return self.upload_bytes + self.purged_bytes + self.orphan_bytes

    def document(self) -> dict[str, int]:
        return {**asdict(self), "freed_bytes": self.freed_bytes}
