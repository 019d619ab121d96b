"""Every operation that persists something, each on a root where it can be done once.

An operation's ``effect`` says whether it happened: it must once it was acknowledged, and
whatever went wrong there must be nothing in between.
"""

import dataclasses
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from oci.digest import Digest
from oci.errors import OCIError
from oci.reference import Tag
from registry.gc.collector import GarbageCollector
from registry.gc.epochs import count_epoch
from tests.support.images import an_image
from tests.support.registry.clocks import FakeClock
from tests.support.registry.settings import default_retention
from tests.support.registry.storage import Service, body, pull_blob, push_blob, push_image

KEPT, GONE = an_image(layers=2, seed="kept"), an_image(seed="gone")
NEW = an_image(seed="new")
CONTENT = b"content " * 40_000
FIRST, REST = CONTENT[:100_000], CONTENT[100_000:]
LOOSE = b"a blob that no manifest names"
ORPHAN = "0f7f3a3e-1111-4222-8333-444444444444"
LONG_MS = 30 * 24 * 60 * 60 * 1000
V1, V2 = Tag("v1"), Tag("v2")

State = dict[str, str]


@dataclass(frozen=True, slots=True)
class Operation:
    """``run`` does it; ``effect`` raises or answers False if it has not happened."""

    run: Callable[[Service, State], Awaitable[Any]]
    effect: Callable[[Service, State], Awaitable[bool]]


async def prepare(service: Service) -> State:
    """A root in use, with something for every operation to work on."""
    repository = service.repository()
    await push_image(repository, KEPT, V1)
    await push_image(repository, GONE, Tag("gone"))
    await push_blob(repository, LOOSE)
    await push_image(repository, NEW, Tag("new"))
    await repository.manifests.delete(NEW.digest)
    session = await repository.uploads.start()
    await repository.uploads.append(session.id, body(FIRST), start=0, length=None)
    encoded = "ab" * 32
    (service.root / "blobs" / "ab" / f"{encoded}-{ORPHAN}").write_bytes(b"as a crash leaves it")
    return {"session": session.id}


async def is_preserved(service: Service) -> bool:
    """Whether everything acknowledged before the operation, and none of its business, is there."""
    repository = service.repository()
    manifest = await repository.manifests.pull(V1)
    blobs = [await pull_blob(repository, digest) == blob for digest, blob in KEPT.blobs.items()]
    return manifest.content == KEPT.manifest and all(blobs)


async def exists(step: Awaitable[Any]) -> bool:
    try:
        await step
    except OCIError:
        return False
    return True


async def has_blob(service: Service, content: bytes, name: str = "team/app") -> bool:
    """Whether the blob is here; that it is here in part would be an error."""
    repository, digest = service.repository(name), Digest.of(content)
    if not await exists(repository.blobs.stat(digest)):
        return False
    assert await pull_blob(repository, digest) == content
    return True


async def start(service: Service, state: State) -> None:
    state["started"] = (await service.repository().uploads.start()).id


async def is_started(service: Service, state: State) -> bool:
    return await exists(service.repository().uploads.status(state["started"]))


async def append(service: Service, state: State) -> None:
    chunks = [REST[at : at + 50_000] for at in range(0, len(REST), 50_000)]
    uploads = service.repository().uploads
    await uploads.append(state["session"], body(*chunks), start=len(FIRST), length=len(REST))


async def is_appended(service: Service, state: State) -> bool:
    """The session can go on from the offset it tells, and ends in the right digest."""
    uploads, session = service.repository().uploads, state["session"]
    try:
        offset = (await uploads.status(session)).offset
    except OCIError:
        return False  # the disk failed, and the session with it
    rest = CONTENT[offset:]
    await uploads.commit(session, Digest.of(CONTENT), body(rest), start=offset, length=len(rest))
    assert await has_blob(service, CONTENT)
    return offset == len(CONTENT)


async def commit(service: Service, state: State) -> None:
    uploads, size = service.repository().uploads, len(FIRST)
    digest = Digest.of(CONTENT)
    await uploads.commit(state["session"], digest, body(REST), start=size, length=len(REST))


async def is_committed(service: Service, state: State) -> bool:
    return await has_blob(service, CONTENT)


async def post(service: Service, state: State) -> None:
    await push_blob(service.repository(), b"single post")


async def is_posted(service: Service, state: State) -> bool:
    return await has_blob(service, b"single post")


async def post_again(service: Service, state: State) -> None:
    await push_blob(service.repository(), LOOSE)


async def is_loose_there(service: Service, state: State) -> bool:
    """It was before; pushing it once more must not take it away."""
    assert await has_blob(service, LOOSE)
    return True


async def mount(service: Service, state: State) -> None:
    source = service.repository()
    assert await service.repository("team/other").uploads.mount(Digest.of(LOOSE), source)


async def is_mounted(service: Service, state: State) -> bool:
    return await has_blob(service, LOOSE, "team/other")


async def put_manifest(service: Service, state: State) -> None:
    await service.repository().manifests.push(V2, NEW.manifest, NEW.media_type)


async def is_put(service: Service, state: State) -> bool:
    repository = service.repository()
    tagged = await exists(repository.manifests.pull(V2))
    assert tagged == await exists(repository.manifests.pull(NEW.digest)), "half a manifest PUT"
    return tagged


async def retag(service: Service, state: State) -> None:
    await service.repository().manifests.push(Tag("gone"), KEPT.manifest, KEPT.media_type)


async def is_retagged(service: Service, state: State) -> bool:
    found = await service.repository().manifests.stat(Tag("gone"))
    assert found.digest in (GONE.digest, KEPT.digest)
    return found.digest == KEPT.digest


async def untag(service: Service, state: State) -> None:
    await service.repository().manifests.delete(Tag("gone"))


async def is_untagged(service: Service, state: State) -> bool:
    assert await exists(service.repository().manifests.pull(GONE.digest))
    return not await exists(service.repository().manifests.pull(Tag("gone")))


async def delete_manifest(service: Service, state: State) -> None:
    await service.repository().manifests.delete(GONE.digest)


async def is_manifest_deleted(service: Service, state: State) -> bool:
    repository = service.repository()
    tagged = await exists(repository.manifests.pull(Tag("gone")))
    assert tagged == await exists(repository.manifests.pull(GONE.digest)), "half a deletion"
    return not tagged


async def delete_blob(service: Service, state: State) -> None:
    await service.repository().blobs.delete(Digest.of(LOOSE))


async def is_blob_deleted(service: Service, state: State) -> bool:
    return not await has_blob(service, LOOSE)


async def cancel(service: Service, state: State) -> None:
    await service.repository().uploads.cancel(state["session"])


async def is_cancelled(service: Service, state: State) -> bool:
    return not await exists(service.repository().uploads.status(state["session"]))


async def collect(service: Service, state: State) -> None:
    """A pass long after every lease: memberships, purge, sweep."""
    clock = FakeClock()
    clock.advance(LONG_MS + int(time.time() * 1000) - clock.wall_ms())
    retention = default_retention(lease_ms=1, undelete_ms=0)
    registry_state = dataclasses.replace(service.state, clock=clock, retention=retention)
    collector = GarbageCollector(registry_state, share=1)
    for _ in range(retention.lease_epochs + 1):
        clock.advance(retention.epoch_ms)
        await count_epoch(registry_state)
    await collector.collect()


async def is_collected(service: Service, state: State) -> bool:
    gone = not await has_blob(service, LOOSE)
    orphans = [path for path in service.root.glob("blobs/*/*") if ORPHAN in path.name]
    return gone and not orphans


OPERATIONS = {
    "start": Operation(start, is_started),
    "append": Operation(append, is_appended),
    "commit": Operation(commit, is_committed),
    "single post": Operation(post, is_posted),
    "single post of what is there": Operation(post_again, is_loose_there),
    "mount": Operation(mount, is_mounted),
    "manifest put": Operation(put_manifest, is_put),
    "retag": Operation(retag, is_retagged),
    "tag delete": Operation(untag, is_untagged),
    "manifest delete": Operation(delete_manifest, is_manifest_deleted),
    "blob delete": Operation(delete_blob, is_blob_deleted),
    "cancel": Operation(cancel, is_cancelled),
    "gc pass": Operation(collect, is_collected),
}
