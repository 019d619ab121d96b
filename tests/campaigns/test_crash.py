"""Killed at any moment, with the collector at work: nothing that was acknowledged is lost."""

from pathlib import Path

from tests.campaigns.crash import crash_campaign
from tests.campaigns.zygote import Zygote
from tests.support.processes import free_port

ROUNDS = 30
JUMPING_ROUNDS = 10
SEED = 4


def test_nothing_acknowledged_is_lost_by_kill_9(zygote: Zygote, tmp_path: Path) -> None:
    result = crash_campaign(zygote, tmp_path, free_port(), rounds=ROUNDS, seed=SEED)

    assert result.violations == []
    assert result.rounds == ROUNDS
    assert result.counts["ok"] > 10 * ROUNDS
    assert result.counts["unknown"] > 0, "no crash hit an operation on its way"
    assert result.collected.blobs > 0, "the collector had nothing to do"


def test_nothing_acknowledged_is_lost_when_the_clock_jumps_as_well(
    zygote: Zygote, tmp_path: Path
) -> None:
    result = crash_campaign(
        zygote, tmp_path, free_port(), rounds=JUMPING_ROUNDS, seed=SEED, jumps=True
    )

    assert result.violations == []
    assert result.counts["ok"] > 10 * JUMPING_ROUNDS
