"""Users: looked up in the container's own files, and never outside them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import BadRequest
from runner.runtime.oci_spec.users import MAX_ID, User, find_user

ACCOUNTS = """root:x:0:0:root:/root:/bin/sh
# a comment
app:x:1000:1001:An app:/srv:/bin/sh
1234:x:7:8::/:/bin/sh
broken:x:many:0::/:
big:x:4294967295:0::/:
nobody:x:65534:65534::/:
"""
GROUP = """root:x:0:
app:x:1001:
audio:x:29:root,app
video:x:44:app
staff:x:50:
short
"""


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    directory = tmp_path / "etc"
    directory.mkdir()
    (directory / "passwd").write_text(ACCOUNTS)
    (directory / "group").write_text(GROUP)
    return directory


@pytest.fixture
def root(tmp_path: Path, etc: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path, os.O_PATH | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", User(0, 0, (0, 29))),
        ("root", User(0, 0, (0, 29))),
        ("app", User(1000, 1001, (1001, 29, 44))),
        ("1000", User(1000, 1001, (1001, 29, 44))),
        ("app:staff", User(1000, 50, (50,))),
        ("app:7", User(1000, 7, (7,))),
        ("4321", User(4321, 0, (0,))),
        ("4321:4322", User(4321, 4322, (4322,))),
        ("1234", User(1234, 0, (0,))),
        (str(MAX_ID), User(MAX_ID, 0, (0,))),
    ],
)
def test_names_and_numbers(root: int, text: str, expected: User) -> None:
    assert find_user(root, text) == expected


def test_added_groups_come_after_the_primary_one(root: int) -> None:
    assert find_user(root, "app:staff", ["audio", "99", "50"]).groups == (50, 29, 99)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nosuch", "unable to find user nosuch: no matching entries in passwd file"),
        ("app:nosuch", "unable to find group nosuch: no matching entries in group file"),
        ("broken", "unable to find user broken"),
        ("big", "unable to find user big"),
        ("4294967295", "invalid user '4294967295': expected a number from 0 to 4294967294"),
        ("4294967296", "invalid user"),
        ("-1", "invalid user"),
        ("0:4294967296", "invalid group"),
        ("9" * 4000, "invalid user"),
        ("a:b:c", "expected user"),
        ("app\n0", "expected user"),
        ("root\x00", "expected user"),
    ],
)
def test_a_user_that_is_not_one_is_refused(root: int, text: str, words: str) -> None:
    # CVE-2024-40635 among them
    with pytest.raises(BadRequest, match=words):
        find_user(root, text)


def test_an_empty_group_is_none(root: int) -> None:
    assert find_user(root, "app:") == find_user(root, "app")
    assert find_user(root, ":") == find_user(root, "")


def test_digits_are_a_number_whatever_an_image_calls_its_accounts(root: int, etc: Path) -> None:
    (etc / "passwd").write_text("1000:x:0:0::/:\n+7:x:0:0::/:\nreal:x:1000:50::/:\n")
    (etc / "group").write_text("1000:x:0:\n99:x:0:real\n")

    assert find_user(root, "1000") == User(1000, 50, (50, 0))
    assert find_user(root, "1000:1000", ["99"]) == User(1000, 1000, (1000, 99))
    assert find_user(root, "+7").uid == 7


def test_an_image_without_files_knows_only_numbers(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_PATH)
    try:
        assert find_user(descriptor, "") == User(0, 0, (0,))
        assert find_user(descriptor, "5:6") == User(5, 6, (6,))
        with pytest.raises(BadRequest, match="unable to find user app"):
            find_user(descriptor, "app")
    finally:
        os.close(descriptor)


def test_a_link_out_of_the_root_is_not_followed(root: int, etc: Path, tmp_path: Path) -> None:
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.write_text("evil:x:0:0::/:\n")
    (etc / "passwd").unlink()
    (etc / "passwd").symlink_to(outside)

    with pytest.raises(BadRequest, match="unable to find user evil"):
        find_user(root, "evil")


@pytest.mark.parametrize("kind", ["fifo", "directory", "device link"])
def test_something_else_in_its_place_holds_up_nobody(root: int, etc: Path, kind: str) -> None:
    (etc / "passwd").unlink()
    if kind == "fifo":
        os.mkfifo(etc / "passwd")
    elif kind == "directory":
        (etc / "passwd").mkdir()
    else:
        (etc / "passwd").symlink_to("/proc/self/fd/0")

    assert find_user(root, "0") == User(0, 0, (0,))


@given(st.text())
def test_any_text_is_a_user_within_bounds_or_refused(text: str) -> None:
    descriptor = os.open("/", os.O_PATH)
    try:
        user = find_user(descriptor, text)
    except BadRequest:
        return
    finally:
        os.close(descriptor)
    assert 0 <= user.uid <= MAX_ID
    assert 0 <= user.gid <= MAX_ID
