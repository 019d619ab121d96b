"""The fault campaign: a disk that fills up under the clients, and one whose calls fail.

A round is one of the two.  Full: the disk has no byte left for a while, then it has; the server
must take uploads again by itself, within five seconds.  Failing: one call of the server, chosen
at random, fails as strace makes it; after a failure the server writes no more, also when it is
killed and started again, until it is told to.  After each round, the root is judged.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

from tests.campaigns.checker import check
from tests.campaigns.crash import SETTINGS, Era, Result, Tell
from tests.campaigns.disks import fill, small_disk
from tests.campaigns.zygote import NotReady, Zygote

ROUNDS_PER_ROOT = 20
MEGABYTES = 48
SECONDS_TO_RECOVER = 5.0
# What a client may be told: no room, read-only for now, ended with its disk.
TOLERATED = frozenset({404, 503, 507})
SETTINGS_HERE = {
    **SETTINGS,
    "REGISTRY_DISK__MIN_FREE_BYTES": "1000000",
    "REGISTRY_DISK__MIN_FREE_PERCENT": "0",
}
# The calls of the store and of SQLite.
CALLS = ("fsync", "fdatasync", "pwrite64", "pwritev", "rename,renameat,renameat2", "ftruncate")
ERRORS = ("EIO", "EIO", "ENOSPC", "EDQUOT")
MARKER = "read-only"


class FaultEra(Era):
    """The rounds of one small disk."""

    def __init__(
        self, zygote: Zygote, place: Path, port: int, seed: int, settings: Mapping[str, str]
    ) -> None:
        super().__init__(zygote, place, port, seed, settings)
        self.disk = place / "disk"
        self.registry.root = self.disk / "root"
        self.world.tolerated = TOLERATED
        self.latched = self.faults = 0

    def round(self) -> list[str]:
        begun = time.monotonic()
        self.life = self.dice.uniform(0.2, 1.2)
        try:
            self.registry.start()
        except NotReady as error:
            return [f"the server did not start: {error}"]
        finally:
            self.started = time.monotonic() - begun
        if self.log.counts["ok"] and (code := self.fsck()):
            return [f"fsck --deep ended with {code}: {self.registry.tail}"]
        found = asyncio.run(self.fill_up() if self.dice.random() < 0.5 else self.fail_once())
        return [*self.world.violations, *found, *check(self.registry.root, self.log.path)]

    async def fill_up(self) -> list[str]:
        """Let clients work while the disk is full, and after; then kill."""
        found: list[str] = []
        async with self.clients_at_work():
            await asyncio.sleep(self.life / 2)
            filler = await asyncio.to_thread(fill, self.disk)
            await asyncio.sleep(self.life)
            if not self.registry.is_alive:
                found.append("the server ended of a full disk")
            filler.unlink()
            began = time.monotonic()
            while not await asyncio.to_thread(self.registry.is_ready):
                if time.monotonic() - began > SECONDS_TO_RECOVER:
                    found.append(f"not ready {SECONDS_TO_RECOVER} s after there was room")
                    break
                await asyncio.sleep(0.05)
            self.faults += 1
        return found

    async def fail_once(self) -> list[str]:
        """Let clients work while one call fails; a failure must outlive the process."""
        call, error = self.dice.choice(CALLS), self.dice.choice(ERRORS)
        when = self.dice.randrange(1, 30)
        pid = self.registry.pid
        async with self.clients_at_work():
            with failing(pid, call, error, when, self.log.path.with_name("strace.txt")) as trace:
                await asyncio.sleep(self.life)
            injected = "(INJECTED)" in trace.read_text(errors="replace")
        self.faults += injected
        marked = (self.registry.root / MARKER).exists()
        if marked:
            self.latched += 1
            if not injected:
                return ["latched without a failure"]
            if code := self.registry.run("unlatch", "--root", self.registry.root):
                return [f"unlatch ended with {code}: {self.registry.tail}"]
        elif injected and error == "EIO" and call == "fsync":
            return ["fsync failed, and the store was not latched"]
        return []

    @contextlib.asynccontextmanager
    async def clients_at_work(self) -> AsyncIterator[None]:
        """Clients at work during the block; at its end the server is killed."""
        self.world.stopping = False
        async with asyncio.TaskGroup() as group:
            for client in self.clients:
                group.create_task(client.run(self.registry.port))
            yield
            self.world.stopping = True
            self.registry.kill()
            self.log.down()


@contextlib.contextmanager
def failing(pid: int, calls: str, error: str, when: int, trace: Path) -> Iterator[Path]:
    """One call of each of the process's threads fails with an error."""
    command = ("strace", "-f", "-qq", "-o", str(trace), "-p", str(pid), "-e", f"trace={calls}")
    inject = ("-e", f"inject={calls}:error={error}:when={when}")
    with subprocess.Popen((*command, *inject), stderr=subprocess.DEVNULL) as tracer:  # noqa: S603
        try:
            yield trace
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(tracer.pid, signal.SIGINT)


def fault_campaign(
    zygote: Zygote,
    directory: Path,
    port: int,
    *,
    rounds: int,
    seed: int,
    tell: Tell = lambda line: None,
) -> "FaultResult":
    """Run the rounds; at the first violation stop."""
    result = FaultResult()
    while result.rounds < rounds and not result.violations:
        number = result.rounds // ROUNDS_PER_ROOT
        place = directory / f"faults-{seed}-{number}"
        place.mkdir(parents=True)
        with small_disk(place / "disk", MEGABYTES):
            era = FaultEra(zygote, place, port, seed * 1000 + number, SETTINGS_HERE)
            try:
                era.run(min(ROUNDS_PER_ROOT, rounds - result.rounds), result, tell)
            finally:
                era.close()
            result.faults += era.faults
            result.latched += era.latched
    return result


class FaultResult(Result):
    """What a fault campaign did."""

    faults = 0
    latched = 0

    def __str__(self) -> str:
        return f"{super().__str__()}; {self.faults} faults met, latched {self.latched} times"
