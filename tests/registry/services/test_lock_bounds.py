"""Every unit of work is bounded, however much clients have pushed.

Counted in rows that a unit changes, which takes no clock.
"""

import json
import sqlite3
from typing import Any

import pytest
from sqlalchemy import Connection

from oci.reference import Tag
from registry.errors import ManifestUnknown
from registry.services import manifests as manifest_service
from registry.services.manifests import TAGS_PER_BATCH
from registry.storage.database.contract import Work
from registry.storage.database.sqlite import SQLiteDatabase
from registry.storage.metadata import manifests
from registry.storage.metadata.trash import repositories as rows_of_deleted
from registry.trash.repositories import delete_repository
from registry.trash.undelete import undelete_digest
from tests.support.images import an_image
from tests.support.registry.databases import RerunningDatabase
from tests.support.registry.gc_service import GcService
from tests.support.registry.storage import Service, push_blobs, push_image

IMAGE = an_image()
IMAGE_LAYERS = json.loads(IMAGE.manifest)["layers"]
TAGS = [Tag(f"t{number:04}") for number in range(3 * TAGS_PER_BATCH + 5)]


class Units:
    """The rows that each unit of work changed, in the order of the units."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.changed: list[int] = []
        real = SQLiteDatabase.write

        async def write(database: SQLiteDatabase, unit: Work[Any], **options: Any) -> Any:
            def counted(connection: Connection) -> Any:
                driver = connection.connection.driver_connection
                assert isinstance(driver, sqlite3.Connection)
                before = driver.total_changes
                try:
                    return unit(connection)
                finally:
                    self.changed.append(driver.total_changes - before)

            return await real(database, counted, **options)

        # Each unit once: a run that is rolled back changes rows too.
        monkeypatch.setattr(RerunningDatabase, "write", write)


@pytest.fixture
def units(service: Service, monkeypatch: pytest.MonkeyPatch) -> Units:
    return Units(monkeypatch)


async def push_tags(service: Service) -> None:
    repository = service.repository()
    await push_image(repository, IMAGE, TAGS[0])
    for start in range(0, len(TAGS), 100):
        await repository.manifests.push(
            TAGS[0], IMAGE.manifest, IMAGE.media_type, tags=TAGS[start : start + 100]
        )


async def test_a_manifest_with_many_tags_is_deleted_in_batches(
    service: Service, units: Units
) -> None:
    await push_tags(service)
    repository = service.repository()
    units.changed.clear()

    await repository.manifests.delete(IMAGE.digest)

    # Of each tag its row and its history; the lease, the audit and the manifest's own besides.
    assert len(units.changed) == 4
    assert max(units.changed) < 2 * TAGS_PER_BATCH + 50
    assert (await repository.tags.list(last=None, n=None)).items == ()
    with pytest.raises(ManifestUnknown):
        await repository.manifests.stat(IMAGE.digest)
    assert await service.rows("SELECT COUNT(*) FROM tag_history WHERE digest IS NULL") == [
        (len(TAGS),)
    ]


async def test_all_of_its_tags_come_back_with_it(service: Service) -> None:
    await push_tags(service)
    repository = service.repository()
    await repository.manifests.delete(IMAGE.digest)

    restored = await undelete_digest(service.state, "op", IMAGE.digest)

    assert restored.tags == list(map(str, TAGS))
    assert (await repository.tags.list(last=None, n=None)).items == tuple(TAGS)


async def test_of_very_many_tags_as_many_come_back_as_one_row_may_hold(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest_service, "MAX_UNDELETED_TAGS", TAGS_PER_BATCH + 1)
    await push_tags(service)
    await service.repository().manifests.delete(IMAGE.digest)

    [(text,)] = await service.rows("SELECT tags FROM trash_manifests")

    assert TAGS_PER_BATCH < len(json.loads(text)) <= 2 * TAGS_PER_BATCH + 1


async def test_leases_of_a_deleted_manifests_children_are_renewed_in_batches(
    service: Service, units: Units, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifests, "ROWS_PER_BATCH", 10)
    repository = service.repository()
    await push_image(repository, IMAGE)
    for number in range(35):
        referrer = an_image(seed=f"r{number}", subject=IMAGE.descriptor)
        await push_image(repository, referrer)
    await service.database.write(
        lambda connection: connection.exec_driver_sql("UPDATE manifests SET lease_until = 0")
    )
    units.changed.clear()

    await repository.manifests.delete(IMAGE.digest)

    assert len(units.changed) == 5
    assert max(units.changed) < 20
    assert await service.rows("SELECT * FROM manifests WHERE lease_until = 0") == []


async def test_many_tags_of_one_push_take_as_few_statements_as_one(service: Service) -> None:
    repository = service.repository()
    await push_image(repository, IMAGE, Tag("first"))
    other = an_image(seed="other")
    await push_image(repository, other)
    counts = []
    real = service.database.write

    for tags in ([], TAGS[:100]):
        statements: list[str] = []

        def traced(connection: Connection, tags: Any = tags, heard: Any = statements) -> None:
            driver = connection.connection.driver_connection
            assert isinstance(driver, sqlite3.Connection)
            driver.set_trace_callback(heard.append)

        await real(traced)
        await repository.manifests.push(Tag("first"), other.manifest, other.media_type, tags=tags)
        counts.append(len(statements))

    assert counts[1] <= counts[0] + 5


async def test_a_deleted_repositorys_edges_go_some_at_a_time(
    gc_service: GcService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One manifest may name ten thousand things, and a repository has any number of those."""
    monkeypatch.setattr(rows_of_deleted, "EDGES_PER_BATCH", 50)
    units, repository = Units(monkeypatch), gc_service.repository()
    await push_blobs(repository, IMAGE.blobs.values())
    document = json.loads(IMAGE.manifest)
    for copies in (120, 7, 200):
        document["layers"] = IMAGE_LAYERS * copies
        content = json.dumps(document).encode()
        await repository.manifests.push(Tag(f"of-{copies}"), content, IMAGE.media_type)
    await delete_repository(gc_service.service.state, "op", repository.name)
    await gc_service.outlive_leases()
    units.changed.clear()

    await gc_service.collect()

    assert sum(units.changed) > 327
    assert max(units.changed) <= 60
    counts = " UNION ALL ".join(
        f"SELECT COUNT(*) FROM {table}"  # noqa: S608 - of these four
        for table in ("manifest_edges", "manifests", "tags", "repo_blobs")
    )
    assert await gc_service.service.rows(counts) == [(0,)] * 4
