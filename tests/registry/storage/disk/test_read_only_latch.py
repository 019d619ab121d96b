"""The latch outlives the process, on any disk that still accepts a change."""

import errno
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from registry.errors import RegistryReadOnly
from registry.storage.disk.read_only_latch import MARKER, MAX_REASON, SPARE, Latch
from tests.support.registry.faults import FaultySystem, Plan
from tests.support.small_disks import small_disk

MAX_CALLS = 20
REASON = "sync: Input/output error"


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    directory = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield directory
    os.close(directory)


class FullDisk:
    """``os`` on a disk that takes no new file and no new byte."""

    def __getattr__(self, call: str) -> Any:
        return getattr(os, call)

    def open(self, path: str, flags: int, mode: int = 0, *, dir_fd: int | None = None) -> int:
        try:
            return os.open(path, flags & ~os.O_CREAT, mode, dir_fd=dir_fd)
        except FileNotFoundError:
            raise full() from None

    def pwritev(self, fd: int, buffers: Sequence[bytes], offset: int, /) -> int:
        if offset + sum(map(len, buffers)) > os.fstat(fd).st_size:
            raise full()
        return os.pwritev(fd, buffers, offset)


class DeadDisk:
    """``os`` on a disk that takes no change at all."""

    def __getattr__(self, call: str) -> Any:
        def fail(*_arguments: Any, **_options: Any) -> Any:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        return fail


class NotedSystem:
    """``os``, and what was done: which name, or which kind of file."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def __getattr__(self, call: str) -> Any:
        def perform(*arguments: Any, **options: Any) -> Any:
            what = arguments[0]
            if isinstance(what, int):
                what = Path(os.readlink(f"/proc/self/fd/{what}")).name
            self.done.append(f"{call} {what}")
            return getattr(os, call)(*arguments, **options)

        return perform


def make_files(directory: Path, count: int) -> None:
    for number in range(count):
        (directory / str(number)).touch()


def full() -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_new_root_is_not_latched(root: int) -> None:
    Latch(root).check()

    assert Latch(root).reason is None


def test_the_first_reason_stays_and_is_the_next_processs(root: int) -> None:
    latch = Latch(root)
    latch.trip(REASON)
    latch.trip("another")

    for each in (latch, Latch(root)):
        with pytest.raises(RegistryReadOnly, match=REASON):
            each.check()


def test_a_disk_that_is_full_takes_the_marker(root: int) -> None:
    Latch(root)

    Latch(root, FullDisk()).trip(REASON)

    assert Latch(root).reason == REASON


def test_a_disk_that_is_full_takes_the_marker_again_after_it_was_unlatched(root: int) -> None:
    first = Latch(root)
    first.trip("é" * 5000)
    assert Latch(root).reason == "é" * MAX_REASON
    first.reset()

    Latch(root, FullDisk()).trip(REASON)

    assert Latch(root).reason == REASON


@pytest.mark.needs_root
def test_a_file_system_without_a_block_or_a_file_takes_the_marker(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "size=1m,nr_inodes=50") as disk:
        directory = os.open(disk, os.O_RDONLY | os.O_DIRECTORY)
        try:
            latch = Latch(directory)
            with pytest.raises(OSError, match="No space left"):
                (disk / "filler").write_bytes(bytes(2 * 1024 * 1024))
            with pytest.raises(OSError, match="No space left"):
                make_files(disk, 100)

            latch.trip(REASON)

            assert Latch(directory).reason == REASON
            with pytest.raises(OSError, match="No space left"):
                latch.reset()
            assert Latch(directory).reason == REASON
        finally:
            os.close(directory)


def test_no_single_failure_while_it_closes_opens_it_for_the_next_process(root: int) -> None:
    for at in range(1, MAX_CALLS):
        plan = Plan("EIO", at)
        latch = Latch(root, FaultySystem(plan))
        with plan.armed():
            latch.trip(REASON)

        assert latch.reason == REASON
        assert Latch(root).reason in (REASON, "unknown")
        Latch(root).reset()
        if plan.fired is None:
            return
    pytest.fail(f"still met a failure at call {MAX_CALLS}")


def test_no_single_failure_while_it_opens_leaves_it_open_for_the_next_process(root: int) -> None:
    for at in range(1, MAX_CALLS):
        plan = Plan("EIO", at)
        latch = Latch(root, FaultySystem(plan))
        latch.trip(REASON)
        with plan.armed():
            try:
                opened = latch.reset()
            except OSError:
                opened = None

        if plan.fired is None:
            assert (opened, latch.reason, Latch(root).reason) == (REASON, None, None)
            return
        assert (opened, latch.reason, Latch(root).reason) == (None, REASON, REASON)
        Latch(root).reset()
    pytest.fail(f"still met a failure at call {MAX_CALLS}")


def test_on_a_disk_that_takes_nothing_it_is_closed_in_memory(
    root: int, caplog: pytest.LogCaptureFixture
) -> None:
    latch = Latch(root, DeadDisk())

    latch.trip(REASON)

    assert latch.reason == REASON
    assert "the read-only marker is not durable" in caplog.text
    with pytest.raises(OSError, match="Input/output error"):
        latch.reset()
    assert latch.reason == REASON


def test_the_marker_for_the_next_process_is_durable(root: int, tmp_path: Path) -> None:
    """Each name and each content is synced after it was made, and before the next step."""
    system = NotedSystem()
    latch = Latch(root, system)
    latch.trip(REASON)
    latch.reset()

    assert system.done == [
        *(f"open {SPARE}", f"pwritev {SPARE}", f"fsync {SPARE}", f"fsync {tmp_path.name}"),
        f"rename {SPARE}",
        *(f"open {MARKER}", f"pwritev {MARKER}", f"fsync {MARKER}", f"fsync {tmp_path.name}"),
        f"unlink {SPARE}",
        *(f"open {SPARE}", f"pwritev {SPARE}", f"fsync {SPARE}"),
        *(f"unlink {MARKER}", f"fsync {tmp_path.name}"),
    ]


@pytest.mark.parametrize("kind", ["link", "directory", "empty"])
def test_a_marker_that_cannot_be_read_is_a_marker(root: int, tmp_path: Path, kind: str) -> None:
    path = tmp_path / MARKER
    if kind == "link":
        path.symlink_to("nowhere")
    elif kind == "directory":
        path.mkdir()
    else:
        path.touch()

    reason = Latch(root).reason

    assert reason is not None
    assert reason.startswith("unknown")


def test_without_a_spare_a_new_file_is_made(root: int, tmp_path: Path) -> None:
    latch = Latch(root)
    (tmp_path / SPARE).unlink()

    latch.trip(REASON)

    assert Latch(root).reason == REASON


@pytest.mark.parametrize("name", [MARKER, SPARE])
def test_a_fifo_in_a_markers_place_holds_nothing_up(root: int, tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)

    latch = Latch(root)
    latch.trip(REASON)

    assert latch.reason is not None
