"""The soak: clients that keep to their leases beside a collector with the shortest windows."""

import asyncio
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.campaigns import crash
from tests.campaigns.acknowledgements import AcknowledgementLog
from tests.campaigns.clients import Client, World
from tests.campaigns.gc_counts import GcCounts
from tests.campaigns.zygote import CrashingRegistry, Zygote

LEASE_SECONDS = 3.0
SETTINGS = {
    **crash.SETTINGS,
    "REGISTRY_GC__INTERVAL_SECONDS": "0.3",
    "REGISTRY_GC__LEASE_SECONDS": str(LEASE_SECONDS),
    "REGISTRY_GC__EPOCH_SECONDS": "1",
    # Listing every directory takes longer than the rest of a pass.
    "REGISTRY_GC__SWEEP_SECONDS": "5",
}
# For sessions that end twice at once: a sweep all the time.
RACING = {"REGISTRY_GC__INTERVAL_SECONDS": "0.1", "REGISTRY_GC__SWEEP_SECONDS": "0.1"}
TELL_SECONDS = 5.0


@dataclass
class Soaked:
    """Operations of clients by their end, and counts of the collector."""

    seconds: float = 0.0
    actions: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    late: int = 0
    cuts: int = 0
    collected: GcCounts = field(default_factory=GcCounts)
    violations: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {end}" for end, count in self.counts.items())
        return (
            f"{self.seconds:.0f} s, {self.actions} actions, operations: {counts}; "
            f"{self.late} late, {self.cuts} cut; {self.collected}; "
            f"{len(self.violations)} violations"
        )


def gc_soak(
    zygote: Zygote,
    directory: Path,
    port: int,
    *,
    seconds: float,
    clients: int,
    seed: int,
    tell: crash.Tell = lambda line: None,
    only_races: bool = False,
) -> Soaked:
    """Run, stop the server, and judge the root; keep it if something is wrong."""
    settings = {**SETTINGS, **(RACING if only_races else {})}
    place = directory / f"soak-{seed}"
    place.mkdir(parents=True)
    log = AcknowledgementLog(place / "acknowledged.jsonl")
    world = World(log, seed, LEASE_SECONDS, clients=clients, only_races=only_races)
    registry = CrashingRegistry(zygote, place / "root", port, settings)
    registry.start()
    begun = time.monotonic()
    try:
        asyncio.run(_work(world, port, clients, seconds, tell))
        if not registry.is_alive:
            world.violations.append("the server ended by itself")
    finally:
        registry.stop()
        log.down()
    violations = [*world.violations, *crash.settled(registry, log)]
    result = Soaked(
        time.monotonic() - begun,
        world.operations,
        log.counts,
        world.late,
        world.cuts,
        GcCounts.from_log(registry.log),
        violations,
    )
    log.close()
    if violations:
        tell(f"kept: {place}")
    else:
        shutil.rmtree(place)
    return result


async def _work(world: World, port: int, clients: int, seconds: float, tell: crash.Tell) -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(clients):
            group.create_task(Client(world, number).run(port))
        begun = time.monotonic()
        while (passed := time.monotonic() - begun) < seconds and not world.violations:
            await asyncio.sleep(min(TELL_SECONDS, seconds - passed))
            tell(
                f"{time.monotonic() - begun:.0f} s: {world.operations} actions, "
                f"{world.late} late, {len(world.violations)} violations"
            )
        world.stopping = True
