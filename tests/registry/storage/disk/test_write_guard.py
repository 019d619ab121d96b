"""The contracts Guard and DiskGuard, on the guard of a root and on that of tests."""

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.errors import RegistryReadOnly
from registry.storage.disk.free_space import MinimumFree
from registry.storage.disk.root import Root
from registry.storage.disk.write_guard import WriteGuard
from registry.storage.guard import DiskGuard
from tests.support.registry.guards import MemoryGuard


@pytest.fixture(params=["memory", "root"])
def guard(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DiskGuard]:
    if request.param == "memory":
        yield MemoryGuard()
        return
    with Root.open(tmp_path) as root:
        yield WriteGuard.of(root, MinimumFree())


def test_writes_are_allowed_at_first(guard: DiskGuard) -> None:
    guard.refresh()
    guard.check_writable()

    assert (guard.read_only_reason, guard.problem) == (None, None)


def test_writes_are_refused_from_the_first_failure_on(guard: DiskGuard) -> None:
    guard.make_read_only("fsync: Input/output error")
    guard.make_read_only("rename: another")

    assert guard.read_only_reason == "fsync: Input/output error"
    assert "read-only since its disk failed (fsync: Input/output error)" in str(guard.problem)
    with pytest.raises(RegistryReadOnly, match="fsync: Input/output error"):
        guard.check_writable()


def test_a_failure_of_the_disk_refuses_writes_that_grow_and_those_that_do_not(
    guard: DiskGuard,
) -> None:
    guard.check_free_space()

    guard.on_disk_error("fsync", OSError(errno.EIO, "Input/output error"))

    for check in (guard.check_free_space, guard.check_writable):
        with pytest.raises(RegistryReadOnly, match="fsync: Input/output error"):
            check()
    assert guard.read_only_reason == "fsync: Input/output error"


def test_a_reserve_is_released_once_at_most(guard: DiskGuard) -> None:
    guard.refresh()

    released = (guard.release_reserve(), guard.release_reserve())

    assert released[1] is False


def test_allowing_writes_tells_the_reason_once(guard: DiskGuard) -> None:
    guard.make_read_only("fsync: Input/output error")

    reasons = (guard.allow_writes(), guard.allow_writes())

    assert reasons == ("fsync: Input/output error", None)
    guard.check_writable()
    assert guard.problem is None


def test_a_root_stays_read_only_after_a_restart(tmp_path: Path) -> None:
    with Root.open(tmp_path) as root:
        WriteGuard.of(root, MinimumFree()).make_read_only("fsync: Input/output error")

    with Root.open(tmp_path) as root:
        again = WriteGuard.of(root, MinimumFree())
        assert again.read_only_reason == "fsync: Input/output error"


def test_a_problem_of_the_root_is_found_by_refresh(tmp_path: Path) -> None:
    problems = ["the root was replaced", None]
    with Root.open(tmp_path) as root:
        guard = WriteGuard.of(root, MinimumFree(), lambda directory: problems.pop(0))

        guard.refresh()
        assert guard.problem == "the root was replaced"
        guard.refresh()
        assert guard.problem is None
