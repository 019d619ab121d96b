"""Clients that keep to their leases lose nothing to the collector.

A short form: ``scripts/campaign-soak`` goes on for as long as one likes.
"""

from pathlib import Path

import pytest

from tests.campaigns.soak import gc_soak
from tests.campaigns.zygote import Zygote
from tests.support.ports import free_port

pytestmark = pytest.mark.takes(30)

SECONDS = 15.0
CLIENTS = 16
SEED = 4
RACE_SECONDS = 5.0
RACERS = 4
# How much happens in a soak is up to the machine's speed: the next one begins until enough did.
SOAKS = 5


@pytest.mark.timeout(600)
def test_the_collector_takes_nothing_from_clients_that_keep_to_their_leases(
    zygote: Zygote, place: Path
) -> None:
    done = blobs = purged = 0

    for seed in range(SEED, SEED + SOAKS):
        result = gc_soak(zygote, place, free_port(), seconds=SECONDS, clients=CLIENTS, seed=seed)
        assert result.violations == []
        assert result.cuts == 0
        done += result.counts["ok"]
        blobs += result.collected.blobs
        purged += result.collected.purged
        if done > 1000 and min(blobs, purged) > 0:
            break

    assert done > 1000
    assert min(blobs, purged) > 0, "the collector had nothing to do"


@pytest.mark.timeout(600)
def test_a_concurrent_commit_and_cancel_leave_the_acknowledged_result(
    zygote: Zygote, place: Path
) -> None:
    ok = fail = passes = 0

    for seed in range(SEED, SEED + SOAKS):
        result = gc_soak(
            zygote,
            place,
            free_port(),
            seconds=RACE_SECONDS,
            clients=RACERS,
            seed=seed,
            only_races=True,
        )
        assert result.violations == []
        ok, fail = ok + result.counts["ok"], fail + result.counts["fail"]
        passes += result.collected.passes
        if min(ok, fail) > 20 and passes > 5:
            break

    assert min(ok, fail) > 20, "no race had two outcomes"
    assert passes > 5
