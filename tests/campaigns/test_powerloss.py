"""A power cut at any moment: no acknowledged write is lost, none is partial.

A short form: ``scripts/campaign-powerloss`` has as many rounds as one likes.
"""

from pathlib import Path

import pytest

from tests.campaigns.disks import Disk
from tests.campaigns.powerloss import powerloss_campaign
from tests.campaigns.zygote import Zygote
from tests.support.ports import free_port

ROUNDS = 6
SEED = 4
CAMPAIGNS = 5

pytestmark = [pytest.mark.needs_root, pytest.mark.takes(16)]


def test_the_disk_loses_unsynced_bytes(tmp_path: Path) -> None:
    """Else the campaign would show nothing."""
    disk = Disk(tmp_path, megabytes=32)
    try:
        (disk.mount_point / "new").write_bytes(b"content")
        (disk.mount_point / "new").rename(disk.mount_point / "renamed")
        disk.cut()
        disk.replug()

        left = disk.mount_point / "renamed"
        assert not left.exists() or left.read_bytes() == b""
    finally:
        disk.close()


@pytest.mark.timeout(600)
def test_nothing_acknowledged_is_lost_by_power_loss(zygote: Zygote, tmp_path: Path) -> None:
    done = 0

    # How much is acknowledged is up to the machine's speed: it goes on until that is enough.
    for seed in range(SEED, SEED + CAMPAIGNS):
        result = powerloss_campaign(zygote, tmp_path, free_port(), rounds=ROUNDS, seed=seed)
        assert result.violations == []
        assert result.rounds == ROUNDS
        done += result.counts["ok"]
        if done > 5 * ROUNDS:
            break

    assert done > 5 * ROUNDS
