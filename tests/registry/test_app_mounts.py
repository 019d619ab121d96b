"""Commands on a root whose disk takes nothing: one that is full, and one that is read-only."""

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from oci.digest import Digest
from registry.cli import main
from registry.storage.disk.free_space import RESERVE
from tests.support.processes import NO_FLOOR
from tests.support.registry.storage import a_service, pull_blob, push_blob
from tests.support.small_disks import small_disk

pytestmark = pytest.mark.needs_root

CONTENT = b"content of a blob"


def mount(*arguments: str | Path) -> None:
    subprocess.run(["/bin/mount", *map(str, arguments)], check=True)  # noqa: S603


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own, with a root in it."""
    with small_disk(tmp_path / "disk", "size=8m") as disk:
        yield disk


def a_root(disk: Path) -> Path:
    """A registry with one blob, which nobody serves."""

    async def push() -> None:
        async with a_service(disk / "root") as service:
            await push_blob(service.repository(), CONTENT)

    asyncio.run(push())
    assert run("gc", "--root", disk / "root").exit_code == 0
    assert (disk / "root" / RESERVE).exists()
    return disk / "root"


def fill(disk: Path) -> None:
    with (disk / "filler").open("wb", buffering=0) as filler:
        for size in (65536, 4096):
            try:
                while filler.write(bytes(size)):
                    pass
            except OSError:
                continue


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(each) for each in arguments], env=NO_FLOOR)


def told(result: Result) -> list[str]:
    """Lines of the output that are none of the log."""
    return [line for line in result.output.splitlines() if not line.startswith("{")]


def test_a_full_disk_gives_up_the_reserve_so_that_the_registry_opens(disk: Path) -> None:
    root = a_root(disk)
    fill(disk)

    done = run("gc", "--root", root)

    assert done.exit_code == 0, done.output
    assert not (root / RESERVE).exists()


def test_a_full_disk_without_a_reserve_is_one_sentence(disk: Path) -> None:
    root = a_root(disk)
    (root / RESERVE).unlink()
    fill(disk)

    refused = run("gc", "--root", root)

    (line,) = told(refused)
    assert refused.exit_code == 1
    assert "make room on it" in line


def test_a_new_root_on_a_full_disk_is_one_sentence(disk: Path) -> None:
    fill(disk)

    refused = run("serve", "--root", disk / "root", "--listen", "127.0.0.1:0")

    (line,) = told(refused)
    assert refused.exit_code == 1
    assert "make room on it" in line


def test_a_read_only_root_is_backed_up_and_not_written(disk: Path, tmp_path: Path) -> None:
    root = a_root(disk)
    mount("-o", "remount,ro", disk)

    taken = run("backup", "--root", root, tmp_path / "backup")
    restored = run("restore", "--root", tmp_path / "new", tmp_path / "backup")

    assert taken.exit_code == 0, taken.output
    assert told(taken) == [f"1 files of 17 bytes are in {tmp_path / 'backup'}, 1 new"]
    assert restored.exit_code == 0, restored.output

    async def pull() -> bytes:
        async with a_service(tmp_path / "new") as service:
            return await pull_blob(service.repository(), Digest.of(CONTENT))

    assert asyncio.run(pull()) == CONTENT


@pytest.mark.parametrize("command", ["gc", "scrub", "serve"])
def test_what_writes_is_refused_on_a_read_only_root(disk: Path, command: str) -> None:
    root = a_root(disk)
    mount("-o", "remount,ro", disk)

    refused = run(command, "--root", root)

    assert (refused.exit_code, told(refused)) == (
        1,
        [
            f"Error: storage root {root}: Read-only file system; make it writable, or only use "
            "`registry fsck` and `registry backup`"
        ],
    )
