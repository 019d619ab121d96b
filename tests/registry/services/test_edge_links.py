"""However many edges name a digest, no unit links more than a bounded number of them.

An edge that is not linked yet keeps its content all the same.
"""

import json
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from oci.digest import Digest
from oci.mediatype import OCI_CONFIG, OCI_INDEX, OCI_LAYER_TAR, OCI_MANIFEST
from oci.reference import Tag
from registry.errors import BlobInUse, CommitUnknown
from registry.gc.collector import GarbageCollector
from registry.gc.dry_run import dry_run
from registry.integrity.checks import Integrity
from registry.integrity.findings import Finding
from registry.integrity.repair import Repair
from registry.services import edge_links
from registry.services.context import ManifestPolicy
from registry.services.operator.usage import of_tag
from registry.storage.database.contract import Work
from registry.storage.database.sqlite import SQLiteDatabase
from registry.storage.metadata import edges
from registry.trash.undelete import undelete_digest
from tests.support.registry.clocks import FakeClock
from tests.support.registry.databases import RerunningDatabase
from tests.support.registry.gc_service import SHORT, GcService
from tests.support.registry.storage import a_service, pull_blob, push_blob

LAYER = b"a layer"
DIGEST = Digest.of(LAYER)
CONFIG = b"{}"
COPIES, MAX_LINKS = 35, 10
# Everything that a push changes besides: session, blob, membership, audit, tag and its history.
BESIDES = 8


@pytest.fixture
async def sparse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[GcService]:
    """A registry that stores manifests before what they name, and links ten edges in a unit."""
    monkeypatch.setattr(edges, "MAX_LINKS", MAX_LINKS)
    clock, policy = FakeClock(), ManifestPolicy("any")
    async with a_service(tmp_path / "root", policy=policy, clock=clock, retention=SHORT) as service:
        yield GcService(service, clock, GarbageCollector(service.state, share=1))


@pytest.fixture
def changed(sparse: GcService, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The rows that each unit changed, in the order of the units; each runs once."""
    counts, real = [], SQLiteDatabase.write

    async def write(database: SQLiteDatabase, unit: Work[Any], **options: Any) -> Any:
        def counted(connection: Connection) -> Any:
            driver = connection.connection.driver_connection
            assert isinstance(driver, sqlite3.Connection)
            before = driver.total_changes
            try:
                return unit(connection)
            finally:
                counts.append(driver.total_changes - before)

        return await real(database, counted, **options)

    monkeypatch.setattr(RerunningDatabase, "write", write)
    return counts


def an_image_of(digest: Digest, copies: int = COPIES) -> bytes:
    """An image manifest that names one layer many times."""
    layer = {"mediaType": OCI_LAYER_TAR, "digest": str(digest), "size": len(LAYER)}
    config = {"mediaType": OCI_CONFIG, "digest": str(Digest.of(CONFIG)), "size": len(CONFIG)}
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config}
    return json.dumps({**document, "layers": [layer] * copies}).encode()


def an_index_of(digest: Digest, size: int) -> bytes:
    child = {"mediaType": OCI_MANIFEST, "digest": str(digest), "size": size}
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [child] * COPIES}
    return json.dumps(document).encode()


IMAGE = an_image_of(DIGEST)
SMALL = an_image_of(DIGEST, copies=1)
INDEX = an_index_of(Digest.of(SMALL), len(SMALL))


async def push_manifest(sparse: GcService, content: bytes, tag: str) -> Digest:
    media_type = json.loads(content)["mediaType"]
    return (await sparse.repository().manifests.push(Tag(tag), content, media_type)).digest


async def unlinked(sparse: GcService, column: str) -> int:
    query = f"SELECT count(*) FROM manifest_edges WHERE child = :child AND {column} IS NULL"  # noqa: S608
    child = DIGEST if column == "blob" else Digest.of(SMALL)
    ((count,),) = await sparse.service.rows(query, child=str(child))
    return int(count)


async def findings(sparse: GcService) -> list[Finding]:
    service = sparse.service
    return [each async for each in Integrity(service.database.operator, service.store).check()]


async def push(sparse: GcService) -> None:
    await push_blob(sparse.repository(), LAYER)


async def mount(sparse: GcService) -> None:
    assert await sparse.repository().uploads.mount(DIGEST, sparse.repository("team/other"))


async def undelete(sparse: GcService) -> None:
    await undelete_digest(sparse.service.state, "op", DIGEST)


@pytest.mark.parametrize("way", [push, mount, undelete])
async def test_a_blob_that_many_edges_name_is_linked_in_short_units(
    sparse: GcService, changed: list[int], way: Callable[[GcService], Awaitable[None]]
) -> None:
    await push_blob(sparse.repository("team/other"), LAYER)
    await push_blob(sparse.repository(), LAYER)
    await sparse.repository().blobs.delete(DIGEST)
    await push_manifest(sparse, IMAGE, "v1")
    changed.clear()

    await way(sparse)

    assert await unlinked(sparse, "blob") == 0
    assert max(changed) <= MAX_LINKS + BESIDES
    assert sum(changed) >= COPIES


async def test_a_manifest_that_many_edges_name_is_linked_and_unlinked_in_short_units(
    sparse: GcService, changed: list[int]
) -> None:
    await push_manifest(sparse, INDEX, "index")
    changed.clear()

    child = await push_manifest(sparse, SMALL, "child")
    assert await unlinked(sparse, "manifest") == 0
    await sparse.repository().manifests.delete(child)

    assert await unlinked(sparse, "manifest") == COPIES
    assert max(changed) <= MAX_LINKS + BESIDES


@pytest.fixture
async def interrupted(sparse: GcService, monkeypatch: pytest.MonkeyPatch) -> GcService:
    """A push of a blob and a child that ended after its commit, before most edges were linked."""

    async def end(*_: object) -> None:
        raise CommitUnknown

    await push_blob(sparse.repository(), CONFIG)
    for content, tag in ((IMAGE, "v1"), (INDEX, "index")):
        await push_manifest(sparse, content, tag)
    with monkeypatch.context() as patched:
        for module in ("blob_commit", "manifests"):
            patched.setattr(f"registry.services.{module}.link_rest", end)
        with pytest.raises(CommitUnknown):
            await push_blob(sparse.repository(), LAYER)
        with pytest.raises(CommitUnknown):
            await push_manifest(sparse, SMALL, "child")
    assert await unlinked(sparse, "blob") == COPIES - MAX_LINKS
    assert await unlinked(sparse, "manifest") == COPIES - MAX_LINKS
    return sparse


async def drop_links(sparse: GcService) -> None:
    """As after a push that ended before it linked a single edge."""
    await sparse.service.database.write(
        lambda connection: connection.exec_driver_sql(
            "UPDATE manifest_edges SET blob = NULL, manifest = NULL"
        )
    )


async def test_an_edge_that_is_not_linked_keeps_its_blob(interrupted: GcService) -> None:
    await drop_links(interrupted)
    await interrupted.outlive_leases()

    said = await dry_run(interrupted.service.state)
    done = await interrupted.collect()

    assert said.members == done.members == 0
    assert await pull_blob(interrupted.repository(), DIGEST) == LAYER
    with pytest.raises(BlobInUse):
        await interrupted.repository().blobs.delete(DIGEST)


async def test_a_manifest_comes_back_with_a_blob_that_was_not_linked(
    interrupted: GcService,
) -> None:
    await drop_links(interrupted)
    repository, image = interrupted.repository(), Digest.of(IMAGE)
    for content in (INDEX, SMALL, IMAGE):
        await repository.manifests.delete(Digest.of(content))
    await repository.blobs.delete(DIGEST)

    result = await undelete_digest(interrupted.service.state, "op", image)

    assert result.blobs == [str(DIGEST)]
    assert await pull_blob(repository, DIGEST) == LAYER


async def test_sizes_do_not_depend_on_links(interrupted: GcService) -> None:
    state, name = interrupted.service.state, interrupted.repository().name
    before = [await of_tag(state, name, Tag(tag)) for tag in ("v1", "index", "child")]

    await drop_links(interrupted)

    after = [await of_tag(state, name, Tag(tag)) for tag in ("v1", "index", "child")]
    assert after == before
    assert before[1].manifests == 2


async def test_the_next_push_links_the_rest(interrupted: GcService) -> None:
    await push(interrupted)
    await push_manifest(interrupted, SMALL, "child")

    assert await unlinked(interrupted, "blob") == await unlinked(interrupted, "manifest") == 0


async def test_fsck_calls_them_harmless_and_repair_links_them(
    interrupted: GcService, changed: list[int]
) -> None:
    found = await findings(interrupted)
    repair = Repair(
        interrupted.service.database, interrupted.service.store, interrupted.service.state.clock
    )

    repaired = [await repair.repair(each) for each in found]

    assert [(each.invariant, each.what, each.harmless) for each in found] == [
        ("I4", str(DIGEST), True),
        ("I4", str(Digest.of(SMALL)), True),
    ]
    assert {each.repaired for each in repaired} == {"linked"}
    assert max(changed) <= MAX_LINKS + 1
    assert await findings(interrupted) == []


async def test_what_is_linked_costs_no_unit(sparse: GcService, changed: list[int]) -> None:
    await push(sparse)
    changed.clear()

    await edge_links.link_rest(sparse.service.database, sparse.repository().name, DIGEST)

    assert changed == []
