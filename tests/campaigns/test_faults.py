"""A disk that fills up or fails under the clients: nothing acknowledged is lost, and it goes on.

A short form: ``scripts/campaign-faults`` has as many rounds as one likes.
"""

from pathlib import Path

import pytest

from tests.campaigns.faults import CALLS, ERRORS, OF_STORE, Cards, fault_campaign, injected
from tests.campaigns.zygote import Zygote
from tests.support.ports import free_port
from tests.support.processes import needs_program

ROUNDS = 6
CAMPAIGNS = 10
SEED = 4

pytestmark = [pytest.mark.needs_root, pytest.mark.takes(12)]


@pytest.mark.timeout(600)
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


def test_a_failed_call_is_reported_with_its_file_though_its_line_was_torn() -> None:
    trace = """\
11 fsync(24</disk/root/uploads/a>)   = 0
11 fsync(24</disk/root/uploads/b> <unfinished ...>
12 fsync(25</disk/root/registry.db>) = -1 EIO (Input/output error) (INJECTED)
11 <... fsync resumed>)              = -1 EIO (Input/output error) (INJECTED)
12 +++ exited with 0 +++
"""

    database, torn = injected(trace)

    assert "registry.db" in database
    assert not OF_STORE.search(database)
    assert "/uploads/b" in torn
    assert OF_STORE.search(torn)


def test_every_call_is_failed_with_every_error_and_failures_come_first() -> None:
    cards = Cards(SEED)

    drawn = []
    for _ in range(len(CALLS) * (len(ERRORS) + 1)):
        drawn.append(cards.draw())
        cards.played(drawn[-1], met=True)

    assert len(set(drawn)) == len(CALLS) * len(ERRORS)
    assert {error for _, error in drawn[: len(CALLS)]} == {"EIO"}


def test_a_call_that_was_not_met_is_tried_again_before_the_others_come_round() -> None:
    cards = Cards(SEED)
    missed = cards.draw()

    cards.played(missed, met=False)
    drawn = []
    for _ in CALLS:
        drawn.append(cards.draw())
        cards.played(drawn[-1], met=True)

    assert drawn[-1] == missed
