"""A disk that fills up or fails under the clients: nothing acknowledged is lost, and it goes on."""

from pathlib import Path

import pytest

from tests.campaigns.faults import fault_campaign
from tests.campaigns.zygote import Zygote
from tests.support.processes import free_port, needs_program

ROUNDS = 12
CAMPAIGNS = 5
SEED = 4

pytestmark = pytest.mark.needs_root


def test_nothing_acknowledged_is_lost_by_a_full_or_failing_disk(
    zygote: Zygote, tmp_path: Path
) -> None:
    needs_program("strace")

    # Which calls a campaign meets is up to the machine's speed: it goes on until it met enough.
    faults = latched = 0
    for number in range(CAMPAIGNS):
        place = tmp_path / str(number)
        place.mkdir()
        result = fault_campaign(zygote, place, free_port(), rounds=ROUNDS, seed=SEED + number)
        assert result.violations == []
        assert result.rounds == ROUNDS
        faults, latched = faults + result.faults, latched + result.latched
        if faults > ROUNDS / 2 and latched > 0:
            break

    assert faults > ROUNDS / 2
    assert latched > 0
