"""A disk that fills up or fails under the clients: nothing acknowledged is lost, and it goes on."""

from pathlib import Path

import pytest

from tests.campaigns.faults import fault_campaign
from tests.campaigns.zygote import Zygote
from tests.support.processes import free_port, needs_program

ROUNDS = 12
SEED = 4

pytestmark = pytest.mark.needs_root


def test_nothing_acknowledged_is_lost_by_a_full_or_failing_disk(
    zygote: Zygote, tmp_path: Path
) -> None:
    needs_program("strace")

    result = fault_campaign(zygote, tmp_path, free_port(), rounds=ROUNDS, seed=SEED)

    assert result.violations == []
    assert result.rounds == ROUNDS
    # Which calls fail, and whether one of them latches, is up to chance and the machine's speed;
    # test_every_fault fails each of them in turn.
    assert result.faults > 0
