import os
import socket
import stat
from pathlib import Path

import pytest

from runner.services.volumes.copy_up import copy_tree, resolve_in_rootfs


def look(path: Path) -> tuple[int, int, int, int]:
    found = path.lstat()
    return found.st_mode, found.st_uid, found.st_gid, found.st_mtime_ns


def a_tree(root: Path) -> Path:
    (root / "sub" / "deep").mkdir(parents=True)
    (root / "file").write_bytes(b"x" * 100_000)
    (root / "sub" / "script").write_text("#!/bin/sh\n")
    (root / "sub" / "script").chmod(0o4755)
    (root / "link").symlink_to("/etc/passwd")
    os.link(root / "file", root / "sub" / "same")
    os.mkfifo(root / "pipe", 0o640)
    (root / "sub").chmod(0o1777)
    for path in (root / "file", root / "sub" / "deep", root / "sub", root):
        os.utime(path, ns=(1_600_000_000_123_456_789, 1_600_000_000_987_654_321))
    return root


def test_a_copy_is_the_same_tree(tmp_path: Path) -> None:
    source = a_tree(tmp_path / "source")

    copy_tree(source, tmp_path / "copy")

    copied = tmp_path / "copy"
    names = sorted(path.relative_to(source) for path in source.rglob("*"))
    assert sorted(path.relative_to(copied) for path in copied.rglob("*")) == names
    for name in names:
        assert look(copied / name)[:3] == look(source / name)[:3], name
    for name in (Path(), Path("file"), Path("sub"), Path("sub/deep")):
        assert look(copied / name) == look(source / name), name
    assert (copied / "file").read_bytes() == b"x" * 100_000
    assert os.readlink(copied / "link") == "/etc/passwd"
    assert (copied / "file").stat().st_ino == (copied / "sub" / "same").stat().st_ino
    assert stat.S_ISFIFO((copied / "pipe").stat().st_mode)


def test_a_symlink_of_two_names_stays_one(tmp_path: Path) -> None:
    """The target is for the container to follow: on this host it is another file."""
    decoy = tmp_path / "decoy"
    decoy.write_text("of this host")
    source = tmp_path / "source"
    source.mkdir()
    (source / "a").symlink_to(decoy)
    os.link(source / "a", source / "b", follow_symlinks=False)

    copy_tree(source, tmp_path / "copy")

    copied = tmp_path / "copy"
    assert os.readlink(copied / "a") == os.readlink(copied / "b") == str(decoy)
    assert (copied / "a").lstat().st_ino == (copied / "b").lstat().st_ino
    assert decoy.stat().st_nlink == 1


def test_sockets_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "source" / "s"))

        copy_tree(tmp_path / "source", tmp_path / "copy")

    assert list((tmp_path / "copy").iterdir()) == []


@pytest.mark.needs_root
def test_owners_devices_and_capabilities_are_copied(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "program").write_text("x")
    os.chown(source / "program", 1000, 50)
    capability = bytes.fromhex("0100000200040000000000000000000000000000")
    os.setxattr(source / "program", "security.capability", capability)
    os.mknod(source / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))

    copy_tree(source, tmp_path / "copy")

    copied = tmp_path / "copy" / "program"
    assert (copied.stat().st_uid, copied.stat().st_gid) == (1000, 50)
    assert os.getxattr(copied, "security.capability") == capability
    assert (tmp_path / "copy" / "null").stat().st_rdev == os.makedev(1, 3)


def test_a_place_is_looked_up_inside_the_root_only(tmp_path: Path) -> None:
    rootfs = tmp_path / "rootfs"
    (rootfs / "real").mkdir(parents=True)
    (rootfs / "absolute").symlink_to("/real")
    (rootfs / "climbing").symlink_to("../../../../real")
    (rootfs / "outside").symlink_to(str(tmp_path))
    (rootfs / "file").write_text("")

    def found(target: str) -> Path | None:
        with resolve_in_rootfs(rootfs, target) as path:
            return path

    assert found("/absolute") == found("/climbing") == found("/real") == rootfs / "real"
    assert found("/outside") is None
    assert found("/file") is None
    assert found("/missing/place") is None
