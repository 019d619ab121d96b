"""MemoryGuard: a DiskGuard without a disk, for stores and databases that need no root."""

from __future__ import annotations

from registry.errors import RegistryReadOnly


class MemoryGuard:
    """Refuses writes after a failure, as the guard of a root; there is always free space."""

    def __init__(self) -> None:
        self.read_only_reason: str | None = None

    @property
    def problem(self) -> str | None:
        if self.read_only_reason is None:
            return None
        return f"the registry is read-only since its disk failed ({self.read_only_reason})"

    def check_writable(self) -> None:
        if self.read_only_reason is not None:
            raise RegistryReadOnly(self.read_only_reason)

    def check_free_space(self) -> None:
        self.check_writable()

    def make_read_only(self, reason: str) -> None:
        self.read_only_reason = self.read_only_reason or reason

    def on_disk_error(self, call: str, error: OSError) -> None:
        self.make_read_only(f"{call}: {error.strerror}")

    def allow_writes(self) -> str | None:
        reason, self.read_only_reason = self.read_only_reason, None
        return reason

    def refresh(self) -> None: ...

    def release_reserve(self) -> bool:
        return False
