"""The guard: whether anything may be written now, and whether it may grow."""

from __future__ import annotations

from registry.storage.disk.free_space import Floor, Room
from registry.storage.disk.read_only_latch import Latch
from registry.storage.disk.root import Root


class Guard:
    """What stands between a write and the disk.  Every check takes microseconds at most.

    Without a root it guards nothing but what it is told.
    """

    def __init__(self, latch: Latch | None = None, room: Room | None = None) -> None:
        self.latch = latch or Latch()
        self.room = room

    @classmethod
    def of(cls, root: Root, floor: Floor) -> Guard:
        return cls(Latch(root.directory), Room(root.directory, floor))

    def check_writable(self) -> None:
        """Raise StorageLatched once the disk has failed."""
        self.latch.check()

    def check_room(self) -> None:
        """Raise StorageLatched, or StorageFull below the floor."""
        self.latch.check()
        if self.room is not None:
            self.room.check()

    def alarm(self, call: str, error: OSError) -> None:
        """A disk's alarm."""
        self.latch.close(f"{call}: {error.strerror or error}")

    def make_room(self) -> bool:
        """Give up the ballast; whether there was one, and what failed may be tried again."""
        return self.room is not None and self.room.release()

    @property
    def problem(self) -> str | None:
        """Why this registry is not ready for everything; None if it is."""
        if self.latch.reason is not None:
            return f"the registry is read-only since its disk failed ({self.latch.reason})"
        return None if self.room is None else self.room.problem
