"""The crash campaign: clients at work, the server killed at any moment, the root judged.

A round: start the server on the root that the round before left, let clients work while the
collector runs, SIGKILL, and compare the root with what the clients were told.  Every so many
rounds a new root begins, so that judging it stays quick.
"""

import asyncio
import random
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.campaigns.acknowledgements import AcknowledgementLog
from tests.campaigns.checker import check
from tests.campaigns.clients import Client, World
from tests.campaigns.gc_counts import GcCounts
from tests.campaigns.zygote import CrashingRegistry, NotReady, Zygote

LEASE_SECONDS = 2.0
CLIENTS = 4
ROUNDS_PER_ROOT = 40
HOUR_MS = 3_600_000
JUMPS_MS = (0, HOUR_MS, -HOUR_MS, 24 * HOUR_MS, -24 * HOUR_MS, 87_660 * HOUR_MS, -87_660 * HOUR_MS)
# The shortest windows, and a collector that never rests.
SETTINGS = {
    "REGISTRY_GC__INTERVAL_SECONDS": "0.2",
    "REGISTRY_GC__LEASE_SECONDS": str(LEASE_SECONDS),
    "REGISTRY_GC__EPOCH_SECONDS": "0.2",
    "REGISTRY_GC__UNDELETE_SECONDS": "0",
    "REGISTRY_GC__SWEEP_SECONDS": "0.2",
    # By default it takes the lock for so little of the time that most lives would see no pass.
    "REGISTRY_GC__LOCK_PERCENT": "30",
    # One line for each pass of the collector, which are counted at the end.
    "REGISTRY_LOGS__LEVEL": "info",
    "REGISTRY_LOGS__FORMAT": "json",
}


@dataclass
class Result:
    """Counts of a campaign, and the first round that went wrong, if one did."""

    rounds: int = 0
    operations: int = 0
    counts: dict[str, int] = field(default_factory=lambda: {"ok": 0, "fail": 0, "unknown": 0})
    late: int = 0
    collected: GcCounts = field(default_factory=GcCounts)
    slowest_start: float = 0.0
    violations: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {end}" for end, count in self.counts.items())
        return (
            f"{self.rounds} rounds, {self.operations} actions, operations: {counts}; "
            f"{self.collected}; slowest start {self.slowest_start:.2f} s; {self.late} late; "
            f"{len(self.violations)} violations"
        )


Tell = Callable[[str], None]


def crash_campaign(
    zygote: Zygote,
    directory: Path,
    port: int,
    *,
    rounds: int,
    seed: int,
    tell: Tell = lambda line: None,
    settings: Mapping[str, str] = SETTINGS,
    jumps: bool = False,
) -> Result:
    """Run the rounds; at the first violation stop, and keep the root and the log.

    With ``jumps`` every life of the server has another wall clock, up to ten years off.
    """
    result = Result()
    while result.rounds < rounds and not result.violations:
        number = result.rounds // ROUNDS_PER_ROOT
        place = directory / f"root-{seed}-{number}"
        place.mkdir(parents=True)
        era = Era(zygote, place, port, seed * 1000 + number, settings)
        era.jumps = JUMPS_MS if jumps else (0,)
        try:
            era.run(min(ROUNDS_PER_ROOT, rounds - result.rounds), result, tell)
        finally:
            era.close()
        if not result.violations:
            shutil.rmtree(place)
    return result


class Era:
    """The rounds of one root."""

    def __init__(
        self, zygote: Zygote, place: Path, port: int, seed: int, settings: Mapping[str, str]
    ) -> None:
        self.registry = CrashingRegistry(zygote, place / "root", port, settings)
        self.log = AcknowledgementLog(place / "acknowledged.jsonl")
        self.world = World(self.log, seed, float(settings.get("REGISTRY_GC__LEASE_SECONDS", 86400)))
        self.clients = [Client(self.world, number) for number in range(CLIENTS)]
        self.dice = random.Random(f"{seed} crashes")  # noqa: S311
        self.jumps: Sequence[int] = (0,)
        self.loses_power = False

    def run(self, rounds: int, result: Result, tell: Tell) -> None:
        for _ in range(rounds):
            begun = time.monotonic()
            result.violations += self.round()
            result.rounds += 1
            result.slowest_start = max(result.slowest_start, self.started)
            tell(
                f"round {result.rounds}: {time.monotonic() - begun:.2f} s, "
                f"start {self.started:.2f} s, life {self.life:.2f} s, "
                f"{self.world.operations} actions, {len(result.violations)} violations"
            )
            if result.violations:
                break
        else:
            result.violations += settled(self.registry, self.log, power_loss=self.loses_power)
        if result.violations:
            tell("\n".join([*result.violations, f"kept: {self.log.path.parent}"]))
        result.operations += self.world.operations
        result.late += self.world.late
        result.collected.add(GcCounts.from_log(self.registry.log))
        for end, count in self.log.counts.items():
            result.counts[end] += count

    def round(self) -> list[str]:
        """One life of the server, and the judgement on what it left."""
        begun = time.monotonic()
        self.life = 0.0
        self.registry.wall_shift_ms = self.dice.choice(self.jumps)
        try:
            self.registry.start()
        except NotReady as error:
            return [f"the server did not start: {error}"]
        finally:
            self.started = time.monotonic() - begun
        if self.log.counts["ok"] and (code := self.fsck()):
            return [f"fsck --deep ended with {code}: {self.registry.tail}"]
        self.life = self.dice.uniform(0.05, 1.5) * self.dice.choice((0.3, 1.0))
        asyncio.run(self.live())
        return [*self.world.violations, *check(self.registry.root, self.log.path)]

    def fsck(self) -> int:
        """Run fsck on the running registry; returns its exit code."""
        return self.registry.run("fsck", "--deep", "--root", self.registry.root)

    async def live(self) -> None:
        """Clients at work until the server is killed."""
        self.world.stopping = False
        async with asyncio.TaskGroup() as group:
            for client in self.clients:
                group.create_task(client.run(self.registry.port))
            await asyncio.sleep(self.life)
            if not self.registry.is_alive:
                self.world.violations.append("the server ended by itself")
            self.world.stopping = True
            self.registry.kill()
            self.log.down()

    def close(self) -> None:
        self.registry.kill()
        self.log.close()


def settled(
    registry: CrashingRegistry, log: AcknowledgementLog, *, power_loss: bool = False
) -> list[str]:
    """Violations after one more pass, with a sweep, over the stopped root: no orphan is left."""
    commands = (("gc",), ("fsck", "--deep"))
    failed = [
        f"{command[0]} ended with {code}: {registry.tail}"
        for command in commands
        if (code := registry.run(*command, "--root", registry.root))
    ]
    return [*failed, *check(registry.root, log.path, swept=True, power_loss=power_loss)]
