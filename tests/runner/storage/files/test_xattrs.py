"""Extended attributes: those of layers, and none of overlayfs's."""

import os
from pathlib import Path

import pytest

from runner.storage.files.xattrs import admitted, file_xattrs, set_xattrs


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("user.comment", True),
        ("security.capability", True),
        ("user.overlay.opaque", False),
        ("trusted.overlay.opaque", False),
        ("trusted.other", False),
        ("security.selinux", False),
        ("system.posix_acl_access", False),
    ],
)
def test_a_layer_may_have_users_attributes_and_capabilities(name: str, expected: bool) -> None:
    assert (name in admitted({name: b"value"})) is expected


def test_attributes_are_read_as_they_were_set(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    xattrs = {"user.a": b"\0binary", "user.b": b""}
    with file.open() as opened:
        set_xattrs(opened.fileno(), xattrs)
    os.setxattr(file, "user.overlay.origin", b"hidden")

    assert file_xattrs(str(file)) == xattrs


def test_a_link_has_none_of_its_targets_attributes(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    os.setxattr(tmp_path / "file", "user.a", b"value")
    (tmp_path / "link").symlink_to("file")

    assert file_xattrs(str(tmp_path / "link")) == {}


def test_an_opaque_mark_that_cannot_be_set_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "setxattr", refuse)

    set_xattrs(0, {"user.a": b"value"})
    with pytest.raises(OSError, match="not supported"):
        set_xattrs(0, {"trusted.overlay.opaque": b"y"})
