"""The power-loss campaign: clients at work, the disk's power cut, the root judged.

Like the crash campaign, but with the server dies what was only in memory: whatever it did not
sync is gone, or worse, there as a name without bytes.
"""

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path

from tests.campaigns.checker import check
from tests.campaigns.crash import SETTINGS, Era, Result, Tell
from tests.campaigns.disks import Disk
from tests.campaigns.zygote import NotReady, Zygote

ROUNDS_PER_DISK = 20
# A disk that is gone fails every write: it must say so, and acknowledge nothing.
TOLERATED = frozenset({503, 507})
NO_FLOOR = {"REGISTRY_DISK__MIN_FREE_BYTES": "0", "REGISTRY_DISK__MIN_FREE_PERCENT": "0"}


class PowerLossEra(Era):
    """The rounds of one disk."""

    def __init__(
        self, zygote: Zygote, place: Path, port: int, seed: int, settings: Mapping[str, str]
    ) -> None:
        self.disk = Disk(place)
        super().__init__(zygote, place, port, seed, {**settings, **NO_FLOOR})
        self.registry.root = self.disk.mount_point / "root"
        self.world.tolerated = TOLERATED
        self.loses_power = True

    def round(self) -> list[str]:
        begun = time.monotonic()
        self.life = 0.0
        try:
            self.registry.start()
        except NotReady as error:
            return [f"the server did not start: {error}"]
        finally:
            self.started = time.monotonic() - begun
        if self.log.counts["ok"] and (code := self.fsck()):
            return [f"fsck --deep ended with {code}: {self.registry.tail}"]
        self.life = self.dice.uniform(0.05, 1.5)
        asyncio.run(self.live())
        root = self.registry.root
        return [*self.world.violations, *check(root, self.log.path, power_loss=True)]

    async def live(self) -> None:
        """Clients at work until the power is cut, and a moment longer."""
        self.world.stopping, self.world.has_power = False, True
        async with asyncio.TaskGroup() as group:
            for client in self.clients:
                group.create_task(client.run(self.registry.port))
            await asyncio.sleep(self.life)
            self.world.has_power = False
            self.log.cut()
            self.disk.cut()
            await asyncio.sleep(self.dice.choice((0.0, 0.05)))
            self.world.stopping = True
            self.registry.kill()
            self.log.down()
        await asyncio.to_thread(self.disk.replug)
        # A chunk, and a session's file, are only durable once the blob is: the session goes on
        # from where it says, or is begun again.
        for client in self.clients:
            for pending in client.uploader.pending:
                pending.offset, pending.lost_power = 0, True

    def close(self) -> None:
        super().close()
        self.disk.close()


def powerloss_campaign(
    zygote: Zygote,
    directory: Path,
    port: int,
    *,
    rounds: int,
    seed: int,
    tell: Tell = lambda line: None,
) -> Result:
    """Run the rounds; at the first violation stop, and keep the log and a copy of the root."""
    result = Result()
    while result.rounds < rounds and not result.violations:
        number = result.rounds // ROUNDS_PER_DISK
        place = directory / f"power-{seed}-{number}"
        place.mkdir(parents=True)
        era = PowerLossEra(zygote, place, port, seed * 1000 + number, SETTINGS)
        try:
            era.run(min(ROUNDS_PER_DISK, rounds - result.rounds), result, tell)
        finally:
            era.close()
    return result
