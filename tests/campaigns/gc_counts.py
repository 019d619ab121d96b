"""GcCounts: the collector's reports in the server's log."""

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self


@dataclass
class GcCounts:
    """Counts that the collector logged of its passes."""

    passes: int = 0
    members: int = 0
    blobs: int = 0
    purged: int = 0
    orphans: int = 0
    lock_ms: float = 0.0
    longest_lock_ms: float = 0.0

    @classmethod
    def from_log(cls, log: Path) -> Self:
        """Sum up the server's log."""
        self, lives = cls(), 0.0
        for line in log.read_text().splitlines():
            entry = json.loads(line) if line.startswith("{") else {}
            if entry.get("event") != "garbage collected":
                continue
            self.passes += 1
            for name in ("members", "blobs", "purged", "orphans"):
                setattr(self, name, getattr(self, name) + entry.get(name, 0))
            # These two it counts itself, from the start of its process.
            lives += self.lock_ms if entry["lock_ms"] < self.lock_ms else 0.0
            self.lock_ms = entry["lock_ms"]
            self.longest_lock_ms = max(self.longest_lock_ms, entry["longest_lock_ms"])
        self.lock_ms += lives
        return self

    def add(self, other: "GcCounts") -> None:
        longest = max(self.longest_lock_ms, other.longest_lock_ms)
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))
        self.longest_lock_ms = longest

    def __str__(self) -> str:
        return (
            f"{self.passes} passes collected {self.blobs} blobs ({self.members} memberships), "
            f"{self.purged} files purged, {self.orphans} orphans, "
            f"write lock held {self.lock_ms:.0f} ms, {self.longest_lock_ms:.1f} ms at most"
        )
