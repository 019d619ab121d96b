"""The fault campaign: a disk that fills up under the clients, and one whose calls fail.

A round is one of the two.  Full: the disk has no byte left for a while, then it has; the server
must take uploads again by itself, within five seconds.  Failing: one call of the server fails, as
strace makes it; after a failure the server writes no more, also when it is killed and started
again, until it is told to.  After each round, the root is judged.
"""

import asyncio
import contextlib
import os
import random
import re
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from itertools import product
from pathlib import Path

from tests.campaigns.checker import check
from tests.campaigns.crash import SETTINGS, Era, Result, Tell
from tests.campaigns.disks import fill, small_disk
from tests.campaigns.zygote import NotReady, Zygote

ROUNDS_PER_ROOT = 20
MEGABYTES = 48
SECONDS_TO_RECOVER = 5.0
# Statuses that a client may get: no room, read-only for now, ended with its disk.
TOLERATED = frozenset({404, 503, 507})
SETTINGS_HERE = {
    **SETTINGS,
    "REGISTRY_DISK__MIN_FREE_BYTES": "1000000",
    "REGISTRY_DISK__MIN_FREE_PERCENT": "0",
}
# The calls of the store and of SQLite.
CALLS = ("fsync", "fdatasync", "pwrite64", "pwritev", "rename,renameat,renameat2", "ftruncate")
ERRORS = ("EIO", "ENOSPC", "EDQUOT")
# Which of a thread's calls fails: most threads do not make many in one life.
WHEN = (1, 1, 1, 2, 3, 5, 8, 13)
MARKER = "read-only"
# A call on a file or a directory of the store's own, as strace shows it.
OF_STORE = re.compile(r'[/"](uploads|blobs)/')
Card = tuple[str, str]


class FaultEra(Era):
    """The rounds of one small disk."""

    def __init__(
        self,
        zygote: Zygote,
        place: Path,
        port: int,
        seed: int,
        settings: Mapping[str, str],
        cards: "Cards",
    ) -> None:
        super().__init__(zygote, place, port, seed, settings)
        self.cards = cards
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
        self.world.disk_failures = 0
        found = asyncio.run(self.fill_up() if self.dice.random() < 0.4 else self.fail_once())
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
        call, error = card = self.cards.draw()
        when = self.dice.choice(WHEN)
        pid, marker = self.registry.pid, self.registry.root / MARKER
        async with self.clients_at_work():
            with failing(pid, call, error, when, self.log.path.with_name("strace.txt")) as trace:
                await asyncio.sleep(self.life)
            failed = injected(trace.read_text(errors="replace"))
            must_latch = any("= -1 EIO" in each and OF_STORE.search(each) for each in failed)
            began = time.monotonic()
            # The latch is written after the failing call.
            while must_latch and not marker.exists():
                if time.monotonic() - began > SECONDS_TO_RECOVER:
                    return [f"not latched after {failed}"]
                await asyncio.sleep(0.01)
        self.cards.played(card, met=bool(failed))
        self.faults += bool(failed)
        if marker.exists():
            self.latched += 1
            return self.unlatch() if failed else ["latched without a failure"]
        if self.world.disk_failures and not any(MARKER in each for each in failed):
            return [f"clients were told of a failed disk, and the store not latched: {failed}"]
        return []

    def unlatch(self) -> list[str]:
        """Allow writing again; before, another process may not write either."""
        if not self.registry.run("gc", "--root", self.registry.root):
            return ["latched, and the next process wrote"]
        if code := self.registry.run("unlatch", "--root", self.registry.root):
            return [f"unlatch ended with {code}: {self.registry.tail}"]
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
    command = ("strace", "-f", "-qq", "-y", "-o", str(trace), "-p", str(pid))
    traced = ("-e", f"trace={calls}")
    inject = ("-e", f"inject={calls}:error={error}:when={when}")
    whole = (*command, *traced, *inject)
    with subprocess.Popen(whole, stderr=subprocess.DEVNULL) as tracer:  # noqa: S603
        try:
            yield trace
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(tracer.pid, signal.SIGINT)


def injected(trace: str) -> list[str]:
    """The calls that failed, with what they were called on, be it on a line of its own."""
    begun: dict[str, str] = {}
    found: list[str] = []
    for line in trace.splitlines():
        thread, _, call = line.partition(" ")
        if call.endswith("<unfinished ...>"):
            begun[thread] = call
        elif "(INJECTED)" in call:
            found.append(begun.get(thread, "") + call if "<... " in call else call)
    return found


class Cards:
    """Every call with every error: what was met least often comes next, failures before fullness.

    Whether a call is met is up to the moment; one that was not is soon tried again.
    """

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(f"{seed} faults")  # noqa: S311
        self._met = {card: -1.0 if "EIO" in card else 0.0 for card in product(CALLS, ERRORS)}

    def draw(self) -> Card:
        return min(self._met, key=lambda card: (self._met[card], self._dice.random()))

    def played(self, card: Card, *, met: bool) -> None:
        self._met[card] += 1.0 if met else 0.4


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
    result, cards = FaultResult(), Cards(seed)
    while result.rounds < rounds and not result.violations:
        number = result.rounds // ROUNDS_PER_ROOT
        place = directory / f"faults-{seed}-{number}"
        place.mkdir(parents=True)
        with small_disk(place / "disk", MEGABYTES):
            era = FaultEra(zygote, place, port, seed * 1000 + number, SETTINGS_HERE, cards)
            try:
                era.run(min(ROUNDS_PER_ROOT, rounds - result.rounds), result, tell)
            finally:
                era.close()
            result.faults += era.faults
            result.latched += era.latched
    return result


class FaultResult(Result):
    """Counts of a fault campaign."""

    faults = 0
    latched = 0

    def __str__(self) -> str:
        return f"{super().__str__()}; {self.faults} faults met, latched {self.latched} times"
