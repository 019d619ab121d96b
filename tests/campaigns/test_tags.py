"""Tags are linearizable, whatever their clients do at once, and whenever the server is killed.

In CI as many histories as fit into half a minute.
"""

import asyncio
from pathlib import Path

from tests.campaigns.crash import SETTINGS
from tests.campaigns.tags import TagHistory
from tests.campaigns.zygote import CrashingRegistry, Zygote
from tests.support.processes import free_port

HISTORIES = 40


def test_tags_are_linearizable_through_crashes(zygote: Zygote, tmp_path: Path) -> None:
    registry = CrashingRegistry(zygote, tmp_path / "root", free_port(), SETTINGS)
    registry.start()
    unknown = 0
    try:
        for seed in range(HISTORIES):
            history = TagHistory(registry, seed)

            asyncio.run(history.record())

            assert history.violations == []
            unknown += history.unknown
    finally:
        registry.kill()
    assert unknown > 0, "no crash hit an operation on its way"
