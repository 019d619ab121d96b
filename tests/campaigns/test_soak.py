"""Clients that keep to their leases never meet the collector."""

from pathlib import Path

import pytest

from tests.campaigns.soak import gc_soak
from tests.campaigns.zygote import Zygote
from tests.support.processes import free_port

SECONDS = 60.0
CLIENTS = 16
SEED = 4
RACE_SECONDS = 15.0
RACERS = 4


@pytest.mark.timeout(300)
def test_the_collector_takes_nothing_from_clients_that_keep_to_their_leases(
    zygote: Zygote, tmp_path: Path
) -> None:
    result = gc_soak(zygote, tmp_path, free_port(), seconds=SECONDS, clients=CLIENTS, seed=SEED)

    assert result.violations == []
    assert result.cuts == 0
    assert result.counts["ok"] > 1000
    assert result.collected.blobs > 0, "the collector had nothing to do"
    assert result.collected.purged > 0


def test_a_session_finished_and_cancelled_at_once_leaves_what_was_acknowledged(
    zygote: Zygote, tmp_path: Path
) -> None:
    result = gc_soak(
        zygote,
        tmp_path,
        free_port(),
        seconds=RACE_SECONDS,
        clients=RACERS,
        seed=SEED,
        only_races=True,
    )

    assert result.violations == []
    assert min(result.counts["ok"], result.counts["fail"]) > 20, "no race had two outcomes"
    assert result.collected.passes > 5
