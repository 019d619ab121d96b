"""The Guard contract, on a write guard with a root and on one without."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.errors import RegistryReadOnly
from registry.storage.disk.free_space import MinimumFree
from registry.storage.disk.root import Root
from registry.storage.disk.write_guard import WriteGuard
from registry.storage.guard import Guard


@pytest.fixture(params=["memory", "root"])
def guard(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Guard]:
    if request.param == "memory":
        yield WriteGuard()
        return
    with Root.open(tmp_path) as root:
        yield WriteGuard.of(root, MinimumFree())


def test_writes_are_allowed_at_first(guard: Guard) -> None:
    guard.refresh()
    guard.check_writable()

    assert (guard.read_only_reason, guard.problem) == (None, None)


def test_writes_are_refused_from_the_first_failure_on(guard: Guard) -> None:
    guard.make_read_only("fsync: Input/output error")
    guard.make_read_only("rename: another")

    assert guard.read_only_reason == "fsync: Input/output error"
    assert "read-only since its disk failed (fsync: Input/output error)" in str(guard.problem)
    with pytest.raises(RegistryReadOnly, match="fsync: Input/output error"):
        guard.check_writable()


def test_allowing_writes_tells_the_reason_once(guard: Guard) -> None:
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
