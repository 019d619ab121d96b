"""The write guard: whether writes, and writes that grow the registry, are allowed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from registry.storage.disk.free_space import FreeSpace, MinimumFree
from registry.storage.disk.read_only_latch import Latch
from registry.storage.disk.root import Root


class WriteGuard:
    """The DiskGuard of a root.  Every check takes microseconds at most."""

    def __init__(
        self,
        latch: Latch,
        free_space: FreeSpace,
        find_problem: Callable[[], str | None] | None = None,
    ) -> None:
        """``find_problem`` says, once a second, what else is wrong with the root."""
        self.latch = latch
        self.free_space = free_space
        self._find_problem = find_problem
        self._found: str | None = None

    @classmethod
    def of(
        cls,
        root: Root,
        minimum: MinimumFree,
        find_problem: Callable[[int], str | None] | None = None,
    ) -> WriteGuard:
        """``find_problem`` is given the descriptor of the root."""
        find = None if find_problem is None else partial(find_problem, root.directory)
        return cls(Latch(root.directory), FreeSpace(root.directory, minimum), find)

    def check_writable(self) -> None:
        """Raise RegistryReadOnly once the disk has failed."""
        self.latch.check()

    def check_free_space(self) -> None:
        self.latch.check()
        self.free_space.check()

    def on_disk_error(self, call: str, error: OSError) -> None:
        self.latch.trip(f"{call}: {error.strerror or error}")

    def release_reserve(self) -> bool:
        return self.free_space.release()

    @property
    def read_only_reason(self) -> str | None:
        return self.latch.reason

    def make_read_only(self, reason: str) -> None:
        self.latch.trip(reason)

    def allow_writes(self) -> str | None:
        return self.latch.reset()

    def refresh(self) -> None:
        """Look how much space is left, and what else is wrong.  Waits for the disk."""
        self.free_space.refresh()
        if self._find_problem is not None:
            self._found = self._find_problem()

    @property
    def problem(self) -> str | None:
        """The reason that writes are refused; None if they are not."""
        if self.latch.reason is not None:
            return f"the registry is read-only since its disk failed ({self.latch.reason})"
        if self._found is not None:
            return self._found
        return self.free_space.problem
