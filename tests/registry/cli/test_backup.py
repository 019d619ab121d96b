"""registry backup, restore: the sentences that they print, and their exit status."""

from pathlib import Path

from click.testing import CliRunner, Result

from registry.cli import main
from tests.registry.cli.conftest import push
from tests.support.processes import RegistryServer, make_registry_server


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def filled(root: Path) -> RegistryServer:
    server = make_registry_server(root)
    server.start()
    push(server, "v1")
    server.stop()
    return server


def test_a_backup_is_restored_and_the_same_files_are_counted(tmp_path: Path) -> None:
    root, backup = filled(tmp_path / "root").root, tmp_path / "backup"

    first = run("backup", "--root", root, backup)
    second = run("backup", "--copy", "--root", root, backup)
    restored = run("restore", "--root", tmp_path / "new", backup)

    assert (first.exit_code, second.exit_code, restored.exit_code) == (0, 0, 0)
    assert first.output.endswith(f"bytes are in {backup}, 2 new\n")
    assert second.output.endswith(f"bytes are in {backup}, 0 new\n")
    assert restored.output == f"restored 2 files into {tmp_path / 'new'}, 0 wrong\n"


def test_a_registry_that_has_lost_a_blob_ends_a_backup_with_1(tmp_path: Path) -> None:
    root = filled(tmp_path / "root").root
    lost, *_ = (path for path in (root / "blobs").rglob("*") if path.is_file())
    lost.unlink()

    result = run("backup", "--root", root, tmp_path / "backup")

    assert result.exit_code == 1
    assert "1 new; 1 blobs are missing or cut short\n" in result.output
    assert "Push the content again, then back up again." in result.output


def test_a_backup_that_rotted_ends_a_restore_with_1(tmp_path: Path) -> None:
    root, backup = filled(tmp_path / "root").root, tmp_path / "backup"
    run("backup", "--copy", "--root", root, backup)
    rotten, *_ = (path for path in (backup / "blobs").rglob("*") if path.is_file())
    size = rotten.stat().st_size
    rotten.chmod(0o600)
    rotten.write_bytes(bytes(size))

    result = run("restore", "--root", tmp_path / "new", backup)

    assert result.exit_code == 1
    assert result.output.endswith("1 wrong\n")
