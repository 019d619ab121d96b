"""The race kit: every pair of units on the same rows, started together on two Databases.

Two registries in this process have one root: each with a Database, a store, session locks and a
collector of its own, as two servers have.  In whichever order the rows put two units, each
succeeds or is refused in the specification's words, and the rows and files agree afterwards.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

from oci.digest import Digest
from oci.errors import OCIError
from oci.reference import RepositoryName, Tag
from registry.errors import CommandRefused
from registry.gc.collector import GarbageCollector
from registry.services.context import ManifestPolicy, RegistryState
from registry.services.repositories import Registry
from registry.services.sessions import Sessions
from registry.storage.blobs.filesystem.store import FilesystemBlobStore
from registry.storage.database.sqlite import SQLiteDatabase
from registry.storage.disk.root import Root
from registry.storage.system_clock import SystemClock
from registry.trash.repositories import delete_repository, undelete_repository
from registry.trash.undelete import undelete_digest
from tests.campaigns.checker import check
from tests.support.images import an_image, an_index
from tests.support.registry import schema
from tests.support.registry.guards import MemoryGuard
from tests.support.registry.integrity import wrongs
from tests.support.registry.settings import default_retention, default_upload_limits
from tests.support.registry.storage import Service, body, push_blob, push_blobs

NAME, TAG = "team/app", Tag("v1")
ONE, OTHER, INDEX = an_image(seed="one"), an_image(seed="other"), an_index(an_image(seed="child"))
LOOSE = b"a blob that no manifest names"
# At most so many sessions, which the units that begin one come to at once.
MAX_SESSIONS = 5
# In a short run the whole root is checked after so many pairs.
CHECKED_EVERY = 20
RETENTION = default_retention(lease_ms=1, epoch_ms=1)

# The checker's finding where nobody kept a log of the clients.
NO_HISTORY = "nobody pushed it"

Unit = Callable[[Service], Awaitable[object]]


async def push_one(service: Service) -> None:
    await service.repository().manifests.push(TAG, ONE.manifest, ONE.media_type)


async def push_other(service: Service) -> None:
    await service.repository().manifests.push(TAG, OTHER.manifest, OTHER.media_type)


async def push_index(service: Service) -> None:
    await service.repository().manifests.push(Tag("index"), INDEX.manifest, INDEX.media_type)


async def push_child(service: Service) -> None:
    (child,) = INDEX.images
    await service.repository().manifests.push(child.digest, child.manifest, child.media_type)


async def push_to_a_new_repository(service: Service) -> None:
    await push_blob(service.repository("team/new"), LOOSE)


async def push_loose_blob(service: Service) -> None:
    await push_blob(service.repository(), LOOSE)


async def push_blobs_again(service: Service) -> None:
    await push_blobs(service.repository(), {**ONE.blobs, **OTHER.blobs}.values())
    await push_blobs(service.repository(), INDEX.images[0].blobs.values())


async def mount(service: Service) -> None:
    source = service.repository()
    await service.repository("team/new").uploads.mount(Digest.of(LOOSE), source)


async def begin_session(service: Service) -> None:
    await service.repository().uploads.start()


async def end_sessions(service: Service) -> None:
    for (session,) in await service.rows("SELECT id FROM uploads"):
        with contextlib.suppress(OCIError):
            await service.repository().uploads.cancel(session)


async def commit_session(service: Service) -> None:
    for (session,) in await service.rows("SELECT id FROM uploads LIMIT 1"):
        await service.repository().uploads.commit(
            session, Digest.of(LOOSE), body(LOOSE), start=0, length=len(LOOSE)
        )


async def look_at_blob(service: Service) -> None:
    """Less than half of its lease remains: the answer renews it."""
    await service.repository().blobs.stat(Digest.of(LOOSE))


async def delete_tag(service: Service) -> None:
    await service.repository().manifests.delete(TAG)


async def delete_manifest(service: Service) -> None:
    await service.repository().manifests.delete(ONE.digest)


async def delete_blob(service: Service) -> None:
    await service.repository().blobs.delete(Digest.of(LOOSE))


async def undelete_manifest(service: Service) -> None:
    await undelete_digest(service.state, "operator", ONE.digest)


async def delete_whole_repository(service: Service) -> None:
    await delete_repository(service.state, "operator", RepositoryName("team/new"))


async def undelete_whole_repository(service: Service) -> None:
    await undelete_repository(service.state, "operator", RepositoryName("team/new"))


async def collect(service: Service) -> None:
    await GarbageCollector(service.state, share=1).collect(sweeps=False)


UNITS: Mapping[str, Unit] = {
    unit.__name__: unit
    for unit in (
        push_one,
        push_other,
        push_index,
        push_child,
        push_to_a_new_repository,
        push_loose_blob,
        push_blobs_again,
        mount,
        begin_session,
        end_sessions,
        commit_session,
        look_at_blob,
        delete_tag,
        delete_manifest,
        delete_blob,
        undelete_manifest,
        delete_whole_repository,
        undelete_whole_repository,
        collect,
    )
}
PAIRS = tuple(itertools.combinations_with_replacement(UNITS, 2))


@contextlib.asynccontextmanager
async def two_services(path: Path) -> AsyncIterator[tuple[Service, Service]]:
    """One root, opened by two registries of one process."""
    with Root.open(path) as root:
        schema.upgrade(root.database)
        async with contextlib.AsyncExitStack() as opened:
            first = await opened.enter_async_context(a_registry(root))
            second = await opened.enter_async_context(a_registry(root))
            yield first, second


@contextlib.asynccontextmanager
async def a_registry(root: Root) -> AsyncIterator[Service]:
    guard, clock = MemoryGuard(), SystemClock()
    store = FilesystemBlobStore(root, guard)
    async with SQLiteDatabase(root.database, guard) as database:
        state = RegistryState(
            database,
            store,
            ManifestPolicy("index"),
            guard,
            retention=RETENTION,
            limits=default_upload_limits(max_per_identity=MAX_SESSIONS),
            clock=clock,
            sessions=Sessions(clock),
        )
        yield Service(root.path, database, store, Registry(state), state)
        await store.aclose()


async def race(first: Service, second: Service, pair: tuple[str, str]) -> list[str]:
    """Run two units together; what no client, and no operator, should ever be told."""
    running = (UNITS[pair[0]](first), UNITS[pair[1]](second))
    outcomes = await asyncio.gather(*running, return_exceptions=True)
    return [
        f"{' and '.join(pair)}: {outcome!r}"
        for outcome in outcomes
        if isinstance(outcome, BaseException) and not isinstance(outcome, OCIError | CommandRefused)
    ]


DOUBLES = (
    ("versions of a tag", "SELECT repository_id, tag, version FROM tag_history"),
    ("rows of the audit with one hash", "SELECT hash FROM audit"),
    ("edges at one place", "SELECT repository_id, parent, position FROM manifest_edges"),
    ("physical names", "SELECT physical FROM blobs UNION ALL SELECT physical FROM trash"),
)


async def check_rows_once(service: Service, pair: tuple[str, str]) -> list[str]:
    """Rows that stand twice, or too many of them, after a pair of units."""
    where = " and ".join(pair)
    found = []
    for what, query in DOUBLES:
        rows = await service.rows(query)
        if len(rows) != len(set(rows)):
            found.append(f"{where}: the same {what} twice")
    ((sessions,),) = await service.rows("SELECT count(*) FROM uploads")
    if sessions > MAX_SESSIONS:
        found.append(f"{where}: {sessions} sessions, expected at most {MAX_SESSIONS}")
    return found


async def race_all(path: Path, rounds: int, tell: Callable[[str], None] = lambda _: None) -> int:
    """Race every pair so many times; how many races there were.

    Raises AssertionError with everything that went wrong.
    """
    violations: list[str] = []
    async with two_services(path / "root") as (first, second):
        await push_blobs_again(first)
        for number, pair in enumerate(PAIRS, start=1):
            for _ in range(rounds):
                violations += await race(first, second, pair)
            violations += await check_rows_once(second, pair)
            if number % (1 if rounds > 1 else CHECKED_EVERY) == 0 or pair == PAIRS[-1]:
                violations += [f"{pair}: {finding}" for finding in await wrongs(second)]
            tell(f"{' and '.join(pair)}: {len(violations)} violations so far")
    (path / "log").touch()
    violations += [
        each for each in check(path / "root", path / "log") if not each.endswith(NO_HISTORY)
    ]
    assert violations == []
    return len(PAIRS) * rounds
