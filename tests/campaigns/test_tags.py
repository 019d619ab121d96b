"""Tags are linearizable, whatever their clients do at once, and whenever the server is killed.

A short form: ``scripts/campaign-tags`` records as many histories as one likes.
"""

from pathlib import Path

import pytest

from tests.campaigns.tags import tag_campaign
from tests.campaigns.zygote import Zygote
from tests.support.ports import free_port

pytestmark = pytest.mark.takes(20)

HISTORIES = 10


@pytest.mark.timeout(600)
def test_tags_are_linearizable_through_crashes(zygote: Zygote, place: Path) -> None:
    result = tag_campaign(zygote, place, free_port(), histories=HISTORIES, seed=0)

    assert result.violations == []
    assert result.histories == HISTORIES
    assert result.unknown > 0, "no crash hit an operation on its way"
