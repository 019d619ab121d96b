"""Clients: random operations, with a record of the responses and complaints about wrong ones."""

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tests.campaigns.acknowledgements import AcknowledgementLog
from tests.campaigns.content import (
    Blob,
    Manifest,
    a_blob,
    an_image,
    an_index,
    base_layers,
    digest_of,
    random_blob,
)
from tests.campaigns.uploading import Uploader
from tests.campaigns.wire import Connection, Cut, Refused

SHARED = "team/app"
TAGS = tuple(f"t{number}" for number in range(6))
KEPT = 10
SELDOM = 12
FOREVER = float("inf")
# An answer takes less; what is promised for no longer cannot be asked for in time.
SOON = 0.05


@dataclass
class World:
    """State that the clients of one campaign share: the log, the leases, and what went wrong.

    ``lease`` is the server's setting in seconds.  Answers with a status in ``tolerated`` (a full
    disk's 507, say) are no violation.
    """

    log: AcknowledgementLog
    seed: int
    lease: float
    tolerated: frozenset[int] = frozenset()
    # Once the power is cut a machine tells nobody anything: what clients still see is void.
    has_power: bool = True
    clients: int = 4
    # Nothing but sessions that are finished and cancelled at once, as fast as they go.
    only_races: bool = False
    violations: list[str] = field(default_factory=list)
    stopping: bool = False
    operations: int = 0
    cuts: int = 0
    # Answers that say that the disk failed, other than by being full.
    disk_failures: int = 0
    # Refusals of manifests whose blobs the client had held for longer than its lease.
    late: int = 0

    def __post_init__(self) -> None:
        self.layers = base_layers(self.seed)
        # Named for a while, then by nobody, then wanted again: when the collector comes for them.
        self.seldom = base_layers(self.seed + 1, SELDOM * self.clients, growth=0)


class Client:
    """One client: alone in its own repository, one of many in the shared one."""

    def __init__(self, world: World, number: int) -> None:
        self.world, self.log = world, world.log
        self.dice = random.Random(f"{world.seed} client {number}")  # noqa: S311
        self.own = f"c{number}/app"
        self.repositories = (SHARED, SHARED, self.own)
        self.mine: list[tuple[str, Manifest]] = []
        self.loose: list[tuple[str, Blob]] = []
        # When what we were promised about a blob ends, by our clock at the time of asking.
        self.promised: dict[tuple[str, str], float] = {}
        self.doubtful: set[tuple[str, str]] = set()
        self.connection = Connection(0)
        self.uploader = Uploader(self.connection, self.log, self.dice, world.lease)
        self.actions: dict[Callable[[], Awaitable[None]], int] = {
            self.push_image: 6, self.push_index: 2, self.push_referrer: 1, self.retag: 3,
            self.pull: 3, self.push_loose: 2, self.mount: 2, self.race: 1, self.delete_blob: 1,
            self.delete_tag: 1, self.delete_manifest: 3, self.come_back: 3,
        }  # fmt: skip
        if world.only_races:
            self.actions = {self.race: 1}

    async def run(self, port: int) -> None:
        """Act until the world stops, or the server goes away for good."""
        self.connection.port = port
        try:
            while not self.world.stopping:
                await self._act()
        finally:
            self.connection.close()

    async def _act(self) -> None:
        try:
            if self.uploader.pending:
                await self.uploader.resume(self.uploader.pending[0])
                self.uploader.pending.pop(0)
                return
            full = len(self.mine) > KEPT
            [action] = self.dice.choices(tuple(self.actions), tuple(self.actions.values()))
            await (self.delete_manifest if full else action)()
        except Cut:
            self.world.cuts += 1
            await asyncio.sleep(0.01)
        except Refused as refused:
            self.world.disk_failures += b"could not store this" in refused.answer.body
            if refused.answer.status not in self.world.tolerated:
                self.complain(str(refused))
                self.uploader.pending.clear()
        finally:
            self.world.operations += 1

    def complain(self, what: str) -> None:
        if not self.world.has_power:
            return
        self.world.violations.append(f"{self.own}: {what}")
        self.log.note(violation=what, client=self.own)

    # Operations of clients.

    async def push_image(self) -> None:
        repository = self.dice.choice(self.repositories)
        image = self._new_image()
        await self._put(repository, image, self._tags(repository))

    async def push_index(self) -> None:
        repository = self.dice.choice(self.repositories)
        images = [self._new_image() for _ in range(2)]
        for image in images:
            if not await self._put(repository, image, ()):
                return
        note = str(self.dice.random())
        await self._put(repository, an_index(images, note), self._tags(repository))

    async def push_referrer(self) -> None:
        if not self.mine:
            return
        repository, subject = self.dice.choice(self.mine)
        await self._put(repository, self._new_image(subject), ())
        target = f"/v2/{repository}/referrers/{subject.digest}"
        answer = await self.connection.request("GET", target)
        if answer.status != 200:
            raise Refused("referrers", answer)

    async def retag(self) -> None:
        """Point a tag to what another points to, after asking for each of its blobs."""
        found = await self._get(SHARED, self.dice.choice(TAGS))
        if found is None or found.children:
            return
        for blob in found.blobs:
            if not await self._has(SHARED, blob):
                await self._missing(SHARED, found, blob)
                return
        await self._put(SHARED, found, (self.dice.choice(TAGS),), mine=False)

    async def pull(self) -> None:
        repository, tag = self.dice.choice(self.repositories), self.dice.choice(TAGS)
        found = await self._get(repository, tag)
        for blob in found.blobs if found is not None else ():
            target = f"/v2/{repository}/blobs/{blob.digest}"
            answer = await self.connection.request("GET", target)
            if answer.status == 404 and found is not None:
                await self._missing(repository, found, blob)
                return
            if answer.status != 200:
                raise Refused(f"GET of {blob.digest}", answer)
            if digest_of(answer.body) != blob.digest:
                self.complain(f"GET of {blob.digest}: other bytes")

    async def push_loose(self) -> None:
        """A blob that no manifest will name."""
        blob = random_blob(self.dice)
        self.loose = [*self.loose[-3:], (self.own, blob)]
        await self._push(self.own, blob)
        await self._read(blob)

    async def race(self) -> None:
        """Two requests of which one wins; what was acknowledged is there."""
        blob = random_blob(self.dice)
        if await self.uploader.race(self.own, blob):
            await self._read(blob)

    async def _read(self, blob: Blob) -> None:
        """Read what we have just pushed to our own repository."""
        target = f"/v2/{self.own}/blobs/{blob.digest}"
        answer = await self.connection.request("GET", target)
        if answer.status != 200 or answer.body != blob.content:
            self.complain(f"GET of {blob.digest}, which was just pushed: {answer.status}")

    async def mount(self) -> None:
        layer = self.dice.choice(self.world.layers)
        begun = time.monotonic()
        await self.uploader.mount(self.own, layer, SHARED)
        self._promise(self.own, layer, begun + self.world.lease)

    async def come_back(self) -> None:
        """Ask for what will not be promised for much longer; to ask is not to renew."""
        now = time.monotonic()
        ending = [(until, key) for key, until in self.promised.items() if now + SOON < until]
        if not ending:
            return
        until, (repository, digest) = min(ending)
        answer = await self.connection.request("GET", f"/v2/{repository}/blobs/{digest}")
        if answer.status != 200 and time.monotonic() < until:
            raise Refused(f"GET of {digest}, promised {until - now:.2f} s ahead", answer)

    async def delete_blob(self) -> None:
        if not self.loose:
            return
        repository, blob = self.loose.pop()
        self.promised.pop((repository, blob.digest), None)
        target = f"/v2/{repository}/blobs/{blob.digest}"
        with self.log.operation(
            "blob.delete", repository=repository, digest=blob.digest
        ) as operation:
            answer = await self.connection.request("DELETE", target)
            if answer.status != 202:
                operation.fail(status=answer.status)
                return
            operation.ok()
        await self._gone(target, blob.digest)

    async def delete_tag(self) -> None:
        repository, tag = self.dice.choice(self.repositories), self.dice.choice(TAGS)
        target = f"/v2/{repository}/manifests/{tag}"
        with self.log.operation("tag.delete", repository=repository, tag=tag) as operation:
            answer = await self.connection.request("DELETE", target)
            if answer.status == 404:
                operation.fail()
                return
            if answer.status != 202:
                raise Refused(f"DELETE of {tag}", answer)
            operation.ok()
        if repository == self.own:
            await self._gone(target, tag)

    async def delete_manifest(self) -> None:
        if not self.mine:
            return
        repository, manifest = self.mine.pop(self.dice.randrange(len(self.mine)))
        target = f"/v2/{repository}/manifests/{manifest.digest}"
        doubt = (repository, manifest.digest) in self.doubtful
        try:
            with self.log.operation(
                "manifest.delete", repository=repository, digest=manifest.digest
            ) as operation:
                answer = await self.connection.request("DELETE", target)
                if answer.status != 202:
                    raise Refused(f"DELETE of manifest {manifest.digest}", answer)
                operation.ok()
        except Refused as refused:
            if refused.answer.status != 404 or not doubt:
                raise
            return
        if repository == self.own:
            await self._gone(target, manifest.digest)

    # How they do it.

    def _new_image(self, subject: Manifest | None = None) -> Manifest:
        base = self.dice.sample(self.world.layers, self.dice.randint(1, 2))
        layers = [*base, random_blob(self.dice)] if self.dice.random() < 0.3 else base
        layers += self.dice.sample(self.world.seldom, self.dice.randint(0, 2))
        config = a_blob(json.dumps({"note": self.dice.random()}).encode())
        return an_image(config, layers, subject=subject)

    def _tags(self, repository: str) -> tuple[str, ...]:
        return tuple(self.dice.sample(TAGS, self.dice.choice((0, 1, 1, 1, 2))))

    async def _put(
        self, repository: str, manifest: Manifest, tags: tuple[str, ...], *, mine: bool = True
    ) -> bool:
        """Hold every blob by a lease, then push the manifest; whether that was acknowledged."""
        for blob in manifest.blobs:
            await self._hold(repository, blob)
        keys = [(repository, blob.digest) for blob in manifest.blobs]
        first, *more = tags or (manifest.digest,)
        query = "?" + "&".join(f"tag={tag}" for tag in more) if more else ""
        target = f"/v2/{repository}/manifests/{first}{query}"
        if mine:
            self.mine.append((repository, manifest))
            self.doubtful.add((repository, manifest.digest))
        with self.log.operation(
            "manifest.put", repository=repository, digest=manifest.digest, tags=tags,
            media_type=manifest.media_type,
        ) as operation:  # fmt: skip
            answer = await self.connection.request(
                "PUT", target, manifest.content, {"Content-Type": manifest.media_type}
            )
            if answer.status != 201 and b"MANIFEST_BLOB_UNKNOWN" in answer.body:
                until = min((self.promised.get(key, 0.0) for key in keys), default=FOREVER)
                if time.monotonic() >= until:
                    self.world.late += 1
                    operation.fail()
                    return False
            if answer.status != 201:
                raise Refused(f"PUT of manifest {manifest.digest}", answer)
            operation.ok()
        self.doubtful.discard((repository, manifest.digest))
        return True

    async def _hold(self, repository: str, blob: Blob) -> None:
        """See that the blob is there, and will be while the manifest is on its way."""
        margin = 0.4 * self.world.lease
        left = self.promised.get((repository, blob.digest), 0.0) - time.monotonic()
        if left > margin:
            return
        if self.dice.random() < 0.7 and await self._has(repository, blob):
            return
        if blob.content:
            await self._push(repository, blob)

    async def _push(self, repository: str, blob: Blob) -> None:
        begun = time.monotonic()
        await self.uploader.push(repository, blob)
        self._promise(repository, blob, begun + self.world.lease)

    async def _has(self, repository: str, blob: Blob) -> bool:
        begun = time.monotonic()
        found = await self.uploader.has(repository, blob)
        if found:
            self._promise(repository, blob, begun + self.world.lease / 2)
        return found

    def _promise(self, repository: str, blob: Blob, until: float) -> None:
        """We were told that the blob stays; unless by a machine that had lost its power."""
        if self.world.has_power:
            key = repository, blob.digest
            self.promised[key] = max(self.promised.get(key, 0.0), until)

    async def _get(self, repository: str, reference: str) -> Manifest | None:
        """The manifest, its blobs by name alone; None if there is none."""
        target = f"/v2/{repository}/manifests/{reference}"
        answer = await self.connection.request("GET", target)
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise Refused(f"GET of {reference}", answer)
        digest = digest_of(answer.body)
        if digest != answer.headers["docker-content-digest"]:
            self.complain(f"GET of {reference}: {digest}, said {answer.headers}")
        document = json.loads(answer.body)
        named = [document[key] for key in ("config",) if key in document]
        named += document.get("layers", [])
        blobs = tuple(Blob(b"", entry["digest"]) for entry in named)
        children = tuple(
            Manifest(b"", entry["digest"], entry["mediaType"])
            for entry in document.get("manifests", ())
        )
        return Manifest(answer.body, digest, document["mediaType"], blobs, children)

    async def _missing(self, repository: str, manifest: Manifest, blob: Blob) -> None:
        """A blob was not there; nor may the manifest be that names it."""
        if await self._get(repository, manifest.digest) is None:
            return
        target = f"/v2/{repository}/blobs/{blob.digest}"
        answer = await self.connection.request("HEAD", target)
        if answer.status == 404 and await self._get(repository, manifest.digest) is not None:
            self.complain(f"{repository}: {manifest.digest} names {blob.digest}, which is gone")

    async def _gone(self, target: str, what: str) -> None:
        """Nobody but us writes there, and we have just been told that it is deleted."""
        answer = await self.connection.request(self.dice.choice(("GET", "HEAD")), target)
        if answer.status != 404 and answer.status not in self.world.tolerated:
            self.complain(f"{what} was deleted, and is still there: {answer.status}")
