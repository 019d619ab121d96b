"""Any sequence of requests, crashes among them, leaves what the model of the spec has.

A short form: ``scripts/campaign-machine`` tries as many sequences as one likes.
"""

from pathlib import Path

import pytest

from tests.campaigns.machine import machine_campaign
from tests.campaigns.zygote import Zygote

pytestmark = pytest.mark.takes(20)

EXAMPLES = 4
STEPS = 30


@pytest.mark.timeout(600)
def test_the_registry_agrees_with_the_model_through_crashes(zygote: Zygote, place: Path) -> None:
    machine_campaign(zygote, place, examples=EXAMPLES, steps=STEPS)
