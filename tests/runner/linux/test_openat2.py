"""Paths inside a root that someone hostile has filled."""

import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.linux.openat2 import NO_SYMLINKS, open_in_root, read_file


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A root, and a secret beside it."""
    (tmp_path / "secret").write_bytes(b"host")
    tree = tmp_path / "tree"
    (tree / "etc").mkdir(parents=True)
    (tree / "etc" / "passwd").write_bytes(b"container")
    return tree


@pytest.fixture
def root(tree: Path) -> Iterator[int]:
    descriptor = os.open(tree, os.O_RDONLY | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


@pytest.mark.parametrize(
    "path", ["etc/passwd", "/etc/passwd", "../../etc/passwd", "etc/../../../etc/./passwd"]
)
def test_every_spelling_stays_inside(path: str, root: int) -> None:
    assert read_file(root, path) == b"container"


@pytest.mark.parametrize("target", ["/etc/passwd", "../../../../etc/passwd", "passwd"])
def test_a_symlink_is_followed_inside(target: str, tree: Path, root: int) -> None:
    (tree / "etc" / "link").symlink_to(target)

    assert read_file(root, "etc/link") == b"container"


@pytest.mark.parametrize("target", ["/secret", "../secret", "../../secret"])
def test_a_symlink_does_not_lead_out(target: str, tree: Path, root: int) -> None:
    (tree / "link").symlink_to(target)

    with pytest.raises(FileNotFoundError):
        read_file(root, "link")


def test_a_magic_link_is_refused(tree: Path) -> None:
    with open(tree.parent / "secret", "rb") as secret:
        # Seen from the real root, where /proc is: only the magic link itself stands in the way.
        descriptor = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
        try:
            with pytest.raises(OSError, match="symbolic links") as refusal:
                open_in_root(descriptor, f"proc/self/fd/{secret.fileno()}", os.O_RDONLY)
        finally:
            os.close(descriptor)

    assert refusal.value.errno == errno.ELOOP


def test_symlinks_are_refused_where_none_may_be(tree: Path, root: int) -> None:
    (tree / "link").symlink_to("etc")

    with pytest.raises(OSError, match="symbolic links"):
        open_in_root(root, "link/passwd", os.O_RDONLY, resolve=NO_SYMLINKS)


def test_a_nul_is_refused(root: int) -> None:
    with pytest.raises(ValueError, match="NUL"):
        open_in_root(root, "etc/passwd\0.txt", os.O_RDONLY)


def test_the_error_names_the_path(root: int) -> None:
    with pytest.raises(FileNotFoundError, match="no/such"):
        open_in_root(root, "no/such", os.O_RDONLY)


def test_a_fifo_does_not_hold_the_reader(tree: Path, root: int) -> None:
    os.mkfifo(tree / "pipe")

    with pytest.raises(ValueError, match="not a regular file"):
        read_file(root, "pipe")


def test_a_large_file_is_refused(tree: Path, root: int) -> None:
    (tree / "large").write_bytes(bytes(101))

    with pytest.raises(ValueError, match="larger than 100"):
        read_file(root, "large", limit=100)


def test_a_racer_cannot_lead_us_out(tree: Path, root: int) -> None:
    """A symlink that changes all the time: what is read is inside, or nothing is."""
    (tree / "inside").mkdir()
    (tree / "inside" / "secret").write_bytes(b"container")
    link, aside = tree / "link", tree / "aside"
    link.symlink_to("inside")
    stop = threading.Event()
    swaps = 0

    def race() -> None:
        nonlocal swaps
        targets = ["inside", str(tree.parent), "../", "/"]
        while not stop.is_set():
            for target in targets:
                aside.symlink_to(target)
                os.rename(aside, link)
                swaps += 1

    seen: set[bytes | None] = set()
    attempts = 0
    racer = threading.Thread(target=race)
    racer.start()
    try:
        # On a busy machine one of the two may have no turn for a while.
        while min(attempts, swaps) < 1500 or b"container" not in seen:
            seen.add(_attempt(root, "link/secret"))
            attempts += 1
    finally:
        stop.set()
        racer.join()

    assert b"host" not in seen


def _attempt(root: int, path: str) -> bytes | None:
    try:
        return read_file(root, path)
    except FileNotFoundError:
        return None
