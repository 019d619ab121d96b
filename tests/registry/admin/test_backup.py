"""The command backup: where it may be put, and the documents that it yields."""

from pathlib import Path

import pytest

from oci.digest import Digest
from registry.admin.backup import check_target
from registry.admin.open_registry import OpenRegistry
from registry.errors import CommandRefused
from tests.registry.admin.conftest import repository, told
from tests.support.registry.storage import push_blob


def test_a_backup_is_put_by_a_whole_path_outside_the_registry(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "link").symlink_to(root)

    assert check_target(str(tmp_path / "backup"), root) == tmp_path / "backup"
    with pytest.raises(CommandRefused, match="'backup': expected a whole path"):
        check_target("backup", root)
    for inside in (root, root / "backup", tmp_path / "link" / "backup"):
        with pytest.raises(CommandRefused, match="outside the registry's own"):
            check_target(str(inside), root)


async def test_a_backup_tells_its_files_and_how_many_are_new(
    opened: OpenRegistry, tmp_path: Path
) -> None:
    await push_blob(repository(opened, "team/app"), b"content")
    target = str(tmp_path / "backup")

    [first] = await told(opened, "backup", directory=target)
    [second] = await told(opened, "backup", directory=target)

    assert (first["summary"]["blobs"], first["summary"]["bytes"]) == (1, 7)
    assert (first["summary"]["new"], first["summary"]["wrong"]) == (1, 0)
    assert second["summary"]["new"] == 0


async def test_a_lost_file_is_a_finding(opened: OpenRegistry, tmp_path: Path) -> None:
    digest: Digest = await push_blob(repository(opened, "team/app"), b"content")
    [lost] = [path for path in (opened.root.path / "blobs").rglob("*") if path.is_file()]
    lost.unlink()

    finding, summary = await told(opened, "backup", directory=str(tmp_path / "backup"))

    assert str(digest) in str(finding["finding"])
    assert summary["summary"]["wrong"] == 1
