"""Killed at any moment during collection: no acknowledged write is lost.

A short form: ``scripts/campaign-crash`` has as many rounds as one likes.
"""

from pathlib import Path

import pytest

from tests.campaigns.crash import crash_campaign
from tests.campaigns.zygote import Zygote
from tests.support.ports import free_port

pytestmark = pytest.mark.takes(12)

ROUNDS = 8
JUMPING_ROUNDS = 5
SEED = 4
# A crash meets other operations each time: the next campaign begins until enough was met.
CAMPAIGNS = 5


@pytest.mark.timeout(600)
def test_nothing_acknowledged_is_lost_by_kill_9(zygote: Zygote, place: Path) -> None:
    done = unknown = blobs = 0

    for seed in range(SEED, SEED + CAMPAIGNS):
        result = crash_campaign(zygote, place, free_port(), rounds=ROUNDS, seed=seed)
        assert result.violations == []
        assert result.rounds == ROUNDS
        done += result.counts["ok"]
        unknown += result.counts["unknown"]
        blobs += result.collected.blobs
        if done > 10 * ROUNDS and min(unknown, blobs) > 0:
            break

    assert done > 10 * ROUNDS
    assert unknown > 0, "no crash hit an operation on its way"
    assert blobs > 0, "the collector had nothing to do"


@pytest.mark.timeout(600)
def test_nothing_acknowledged_is_lost_when_the_clock_jumps_as_well(
    zygote: Zygote, place: Path
) -> None:
    done = 0

    for seed in range(SEED, SEED + CAMPAIGNS):
        result = crash_campaign(
            zygote, place, free_port(), rounds=JUMPING_ROUNDS, seed=seed, jumps=True
        )
        assert result.violations == []
        done += result.counts["ok"]
        if done > 10 * JUMPING_ROUNDS:
            break

    assert done > 10 * JUMPING_ROUNDS
