"""A file that can have no more names is copied, and never what a device shows."""

import errno
import os
import stat
from pathlib import Path

import pytest

from runner.storage.files.copies import link_or_copy


@pytest.fixture(autouse=True)
def no_more_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EMLINK, os.strerror(errno.EMLINK))

    monkeypatch.setattr(os, "link", refuse)


def test_a_file_and_a_symlink_are_copied(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    (tmp_path / "file").chmod(0o640)
    (tmp_path / "symlink").symlink_to("/etc/shadow")

    link_or_copy(tmp_path / "file", tmp_path / "copy")
    link_or_copy(tmp_path / "symlink", tmp_path / "other")

    assert (tmp_path / "copy").read_text() == "content"
    assert stat.S_IMODE((tmp_path / "copy").stat().st_mode) == 0o640
    assert os.readlink(tmp_path / "other") == "/etc/shadow"


@pytest.mark.needs_root
@pytest.mark.parametrize("kind", [stat.S_IFCHR, stat.S_IFIFO])
def test_of_a_node_there_is_another_node(tmp_path: Path, kind: int) -> None:
    device = os.makedev(1, 3) if kind == stat.S_IFCHR else 0
    os.mknod(tmp_path / "node", kind | 0o600, device)
    os.chown(tmp_path / "node", 7, 8)
    os.chmod(tmp_path / "node", 0o620)

    link_or_copy(tmp_path / "node", tmp_path / "copy")

    found = (tmp_path / "copy").lstat()
    assert (found.st_mode, found.st_rdev) == (kind | 0o620, device)
    assert (found.st_uid, found.st_gid) == (7, 8)
