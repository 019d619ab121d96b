"""Format of findings, and the hints after them."""

import asyncio
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from oci.reference import Tag
from registry.cli import main
from tests.support.images import an_image
from tests.support.registry.storage import a_service, push_image


def run(root: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments, "--root", str(root)])


@pytest.fixture
def corrupt(tmp_path: Path) -> Path:
    """A registry that is stopped, with one byte of one blob flipped."""
    root = tmp_path / "root"

    async def make() -> None:
        async with a_service(root) as service:
            await push_image(service.repository(), an_image(), Tag("v1"))

    asyncio.run(make())
    victim = next(iter((root / "blobs").glob("*/*")))
    content = bytearray(victim.read_bytes())
    content[0] ^= 1
    victim.chmod(0o600)
    victim.write_bytes(content)
    return root


def test_corrupt_content_is_reported_with_the_next_step(corrupt: Path) -> None:
    found, repaired = run(corrupt, "fsck", "--deep"), run(corrupt, "fsck", "--deep", "--repair")

    assert (found.exit_code, repaired.exit_code) == (1, 1)
    assert "affects team/app:v1" in found.output
    assert "`registry fsck --repair` marks" in found.output
    assert "marked corrupt" in repaired.output
    for result in (found, repaired):
        assert result.output.endswith(
            "Push corrupt content again to replace it, or restore a backup.\n"
        )


def test_a_scrub_reports_new_findings_and_fsck_all(corrupt: Path) -> None:
    first, second = run(corrupt, "scrub"), run(corrupt, "scrub")
    fsck = run(corrupt, "fsck")

    assert (first.exit_code, "1 newly found corrupt" in first.output) == (1, True)
    assert (second.exit_code, "0 newly found corrupt" in second.output) == (0, True)
    assert (fsck.exit_code, "known to be corrupt" in fsck.output) == (1, True)
