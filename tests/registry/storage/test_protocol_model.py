"""The storage protocol holds in every interleaving, and each of its rules is needed."""

import pytest

from tests.support.registry.protocol_model import Protocol, search

pytestmark = pytest.mark.takes(15)


@pytest.mark.parametrize(("crashes", "states"), [(2, 24_355), (3, 33_924)])
def test_the_protocol_holds_in_every_reachable_state(crashes: int, states: int) -> None:
    result = search(Protocol(crashes=crashes))

    assert result.violation is None
    # Fewer states would mean that the model lost a move, and with it what the move could break.
    assert result.states == states


@pytest.mark.parametrize(
    ("broken", "invariant"),
    [
        (Protocol(syncs_the_file=False), "I2"),
        (Protocol(syncs_the_directory=False), "I1"),
        (Protocol(takes_the_upload_row=False), "I1"),
        (Protocol(never_reuses_a_name=False), "I1"),
        (Protocol(never_reuses_a_name=False, sweeps=False, crashes=0), "I1"),
        (Protocol(commits_durably=False), "I1"),
        (Protocol(leases_in_the_same_transaction=False), "I5"),
        (Protocol(validates_again_when_deleting=False), "I5"),
        (Protocol(lists_before_it_asks=False), "I1"),
    ],
    ids=[
        "no fsync of the file",
        "no fsync of the directory",
        "commit without taking the upload row",
        "physical name is the digest",
        "physical name is the digest, without crash or sweeper",
        "synchronous=NORMAL",
        "lease in a second transaction",
        "scan, then delete without asking again",
        "sweeper asks before it lists",
    ],
)
def test_a_protocol_without_one_of_its_rules_loses_something(
    broken: Protocol, invariant: str
) -> None:
    result = search(broken)

    assert result.violation is not None
    assert result.violation.invariant.startswith(invariant)
