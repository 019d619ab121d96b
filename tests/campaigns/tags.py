"""Histories of tags: clients put, get and delete the same few, and the server is killed."""

import asyncio
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tests.campaigns.content import Manifest, a_blob, an_image
from tests.campaigns.crash import SETTINGS, Tell
from tests.campaigns.linearizability import Step, is_linearizable
from tests.campaigns.wire import Answer, Connection, Cut, Refused
from tests.campaigns.zygote import CrashingRegistry, Zygote

Kind = Literal["write", "read", "delete"]

KINDS: tuple[Kind, ...] = ("write", "read", "delete")
REPOSITORY = "lin/app"
# Many clients find races; few leave a lost write without another that explains it.
CLIENTS = (2, 4, 12)
TAGS = 4


@dataclass
class TagHistory:
    """One history: a server that dies once, and what every client saw of every tag."""

    registry: CrashingRegistry
    seed: int
    operations: int = 200
    steps: dict[str, list[Step]] = field(default_factory=dict)
    downs: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)  # noqa: S311
        self.config = a_blob(b"{}")
        self.manifests = [an_image(self.config, [], note=f"{n}") for n in range(6)]

    async def record(self) -> None:
        """Run the clients, kill and restart the server in the middle, read every tag at the end."""
        await self._prepare()
        left = iter(range(self.operations))
        async with asyncio.TaskGroup() as group:
            for number in range(self.dice.choice(CLIENTS)):
                group.create_task(self._client(number, left))
            await asyncio.sleep(self.dice.uniform(0.02, 0.25))
            self.registry.kill()
            self.downs.append(time.monotonic())
            await asyncio.to_thread(self.registry.start)
        connection = Connection(self.registry.port)
        for tag in sorted(self.steps):
            await self._step(connection, "read", tag, self.manifests[0])
        connection.close()

    @property
    def violations(self) -> list[str]:
        return [
            f"tag {tag}: no order explains its {len(steps)} steps (seed {self.seed})"
            for tag, steps in sorted(self.steps.items())
            if not is_linearizable(steps)
        ]

    @property
    def unknown(self) -> int:
        return sum(not step.sure for steps in self.steps.values() for step in steps)

    async def _prepare(self) -> None:
        connection = Connection(self.registry.port)
        target = f"/v2/{REPOSITORY}/blobs/uploads/?digest={self.config.digest}"
        answer = await connection.request("POST", target, self.config.content)
        if answer.status != 201:
            raise Refused("push of the config", answer)
        connection.close()

    async def _client(self, number: int, left: Iterator[int]) -> None:
        dice = random.Random(f"{self.seed} {number}")  # noqa: S311
        connection = Connection(self.registry.port)
        for _ in left:
            tag = f"s{self.seed}-{dice.randrange(TAGS)}"
            kind = dice.choices(KINDS, (4, 5, 1))[0]
            try:
                await self._step(connection, kind, tag, dice.choice(self.manifests))
            except Cut:
                await asyncio.sleep(0.02)
        connection.close()

    async def _step(self, connection: Connection, kind: Kind, tag: str, manifest: Manifest) -> None:
        begun = time.monotonic()
        steps = self.steps.setdefault(tag, [])
        try:
            answer = await self._ask(connection, kind, tag, manifest)
        except Cut:
            # Requests that had reached the old process died with it.
            ended = self.downs[-1] if self.downs and self.downs[-1] > begun else time.monotonic()
            value = manifest.digest if kind == "write" else None
            steps.append(Step(begun, ended, kind, value, sure=False))
            raise
        steps.append(self._told(answer, begun, kind, manifest))

    async def _ask(
        self, connection: Connection, kind: Kind, tag: str, manifest: Manifest
    ) -> Answer:
        target = f"/v2/{REPOSITORY}/manifests/{tag}"
        if kind == "write":
            headers = {"Content-Type": manifest.media_type}
            return await connection.request("PUT", target, manifest.content, headers)
        return await connection.request("GET" if kind == "read" else "DELETE", target)

    def _told(self, answer: Answer, begun: float, kind: Kind, manifest: Manifest) -> Step:
        ended = time.monotonic()
        match kind, answer.status:
            case "write", 201:
                return Step(begun, ended, "write", manifest.digest)
            case "read", 200:
                return Step(begun, ended, "read", answer.headers["docker-content-digest"])
            case "read", 404:
                return Step(begun, ended, "read", None)
            case "delete", 202:
                return Step(begun, ended, "delete")
            case "delete", 404:
                return Step(begun, ended, "delete", missed=True)
        raise Refused(f"{kind} of a tag", answer)


@dataclass
class TagResult:
    """How many histories were recorded, and the steps in them that a crash left unanswered."""

    histories: int = 0
    unknown: int = 0
    violations: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.histories} histories, {self.unknown} steps unanswered; "
            f"{len(self.violations)} violations"
        )


def tag_campaign(
    zygote: Zygote,
    directory: Path,
    port: int,
    *,
    histories: int,
    seed: int,
    tell: Tell = lambda line: None,
) -> TagResult:
    """Record so many histories, each with the next seed; stop at the first that no order explains.

    Raises Refused for an answer that no state of the tags allows.
    """
    registry = CrashingRegistry(zygote, directory / "root", port, SETTINGS)
    registry.start()
    result = TagResult()
    try:
        while result.histories < histories and not result.violations:
            history = TagHistory(registry, seed + result.histories)
            asyncio.run(history.record())
            result.histories += 1
            result.unknown += history.unknown
            result.violations += history.violations
            tell(f"history {result.histories} of {histories}: {len(history.violations)} violations")
    finally:
        registry.kill()
    return result
