"""Attributes of entries: owners that archives may have, and times that file systems take."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from oci.layer import InvalidLayer
from runner.storage.layers.attributes import Attributes, opened, times, with_owner
from runner.storage.tar.reader import Member


def a_member(uid: int = 0, gid: int = 0, mtime_ns: int = 0, mode: int = 0o755) -> Member:
    return Member(b"5", b"d", b"", mode, uid, gid, 0, mtime_ns, (0, 0))


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


@pytest.mark.parametrize(
    ("found", "owner"),
    [
        ((0, 0), (0, 0)),
        ((2**32 - 2, 5), (2**32 - 2, 5)),
        ((-1, 5), (17, 5)),
        ((5, 2**32 - 1), (5, 18)),
        ((-1, -1), (17, 18)),
    ],
)
def test_an_unknown_owner_is_replaced(found: tuple[int, int], owner: tuple[int, int]) -> None:
    member = with_owner(a_member(*found), (17, 18))

    assert (member.uid, member.gid) == owner


@pytest.mark.parametrize("owner", [(-2, 0), (0, -2), (2**32, 0), (0, 2**63)])
def test_an_owner_that_would_wrap_is_refused(owner: tuple[int, int]) -> None:
    with pytest.raises(InvalidLayer, match=f"belongs to {owner[0]}:{owner[1]}, expected 0 to"):
        with_owner(a_member(*owner), (0, 0))


def test_a_time_is_kept_within_the_kernels_range() -> None:
    assert times(a_member(mtime_ns=5)) == (5, 5)
    assert times(a_member(mtime_ns=2**80)) == ((1 << 40) * 10**9,) * 2
    assert times(a_member(mtime_ns=-(2**80))) == (-(1 << 40) * 10**9,) * 2


def test_attributes_are_set_on_the_directory(root: int, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    member = a_member(os.geteuid(), os.getegid(), 1_000_000_000, 0o2750)

    Attributes.of(member).apply(root, b"d")

    found = (tmp_path / "d").stat()
    assert (found.st_mode & 0o7777, found.st_mtime_ns) == (0o2750, 1_000_000_000)


def test_a_directory_that_a_link_replaced_is_left_alone(root: int, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "d").symlink_to("real")

    Attributes.of(a_member(os.geteuid(), os.getegid())).apply(root, b"d")
    Attributes.of(a_member(os.geteuid(), os.getegid())).apply(root, b"absent")

    assert (tmp_path / "real").stat().st_mode & 0o777 == 0o700
    with opened(root, b"d/below") as descriptor:
        assert descriptor is None
