"""A repair changes only rows that are as found, and hides nothing pushed meanwhile."""

from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from oci.digest import Digest
from oci.reference import RepositoryName, Tag
from registry.integrity.checks import Integrity
from registry.integrity.findings import Finding
from registry.integrity.repair import Repair
from registry.integrity.scrub import Scrub, Throttle
from registry.trash.repositories import delete_repository
from tests.support.images import an_image
from tests.support.registry.storage import Service, pull_blob, push_blob, push_image

IMAGE = an_image()
CONTENT = b"content"
DIGEST = Digest.of(CONTENT)
NAME = RepositoryName.parse("team/app")


async def change(service: Service, statement: str) -> None:
    """Change rows as no service would."""

    def unit(connection: Connection) -> None:
        connection.execute(text(statement))

    await service.database.write(unit)


async def found_by(service: Service) -> list[Finding]:
    return [
        each
        async for each in Integrity(service.database.operator, service.store, deep=True).check()
    ]


def file_of(service: Service, digest: Digest) -> Path:
    [path] = service.root.glob(f"blobs/*/{digest.encoded}-*")
    return path


async def damage_manifest(service: Service) -> None:
    await change(service, "UPDATE manifests SET content = CAST(replace(content, '2', '3') AS BLOB)")


async def test_a_blob_that_was_pushed_after_it_was_found_missing_is_not_hidden(
    service: Service,
) -> None:
    repository = service.repository()
    await push_blob(repository, CONTENT)
    file_of(service, DIGEST).unlink()
    [finding] = await found_by(service)

    await push_blob(repository, CONTENT)
    mended = await Repair(service.database, service.store, service.state.clock).repair(finding)

    assert mended.repaired == ""
    assert await repository.blobs.stat(DIGEST) == len(CONTENT)
    assert await pull_blob(repository, DIGEST) == CONTENT


async def test_a_manifest_that_was_pushed_after_it_was_found_corrupt_is_not_hidden(
    service: Service,
) -> None:
    repository = service.repository()
    await push_image(repository, IMAGE, Tag("v1"))
    await damage_manifest(service)
    [finding] = await found_by(service)

    await repository.manifests.push(Tag("v1"), IMAGE.manifest, IMAGE.media_type)
    mended = await Repair(service.database, service.store, service.state.clock).repair(finding)

    assert mended.repaired == ""
    assert (await repository.manifests.pull(Tag("v1"))).content == IMAGE.manifest


async def test_a_push_over_a_corrupt_manifest_that_nobody_has_found_heals_it(
    service: Service,
) -> None:
    repository = service.repository()
    await push_image(repository, IMAGE, Tag("v1"))
    await damage_manifest(service)

    await repository.manifests.push(IMAGE.digest, IMAGE.manifest, IMAGE.media_type)

    assert (await repository.manifests.pull(Tag("v1"))).content == IMAGE.manifest
    assert await found_by(service) == []


async def test_a_corrupt_manifest_of_a_deleted_repository_whose_name_is_used_again_is_marked(
    service: Service,
) -> None:
    await push_image(service.repository(), IMAGE, Tag("v1"))
    await damage_manifest(service)
    await delete_repository(service.state, "alice", NAME)
    await push_image(service.repository(), IMAGE, Tag("v1"))

    [finding] = await found_by(service)
    mended = await Repair(service.database, service.store, service.state.clock).repair(finding)

    assert mended.repaired == "marked corrupt"
    [(hidden,)] = await service.rows("SELECT repository_id FROM corrupt_manifests")
    assert await service.rows("SELECT repository_id FROM deleted_repositories") == [(hidden,)]
    assert (await service.repository().manifests.pull(Tag("v1"))).content == IMAGE.manifest


async def test_a_scrub_gets_past_a_corrupt_manifest_of_a_deleted_repository(
    service: Service,
) -> None:
    await push_image(service.repository(), IMAGE, Tag("v1"))
    await damage_manifest(service)
    await delete_repository(service.state, "alice", NAME)
    await push_image(service.repository(), IMAGE, Tag("v1"))
    run = Scrub(service.database, service.store, Throttle(1e12), 0, service.state.clock)

    found = [each async for each in run.run()]

    assert [each.repaired for each in found] == ["marked corrupt"]
    assert (run.done.manifests, run.done.is_complete) == (2, True)


@pytest.mark.parametrize("directory", ["blobs/00", "uploads"])
async def test_a_step_is_chosen_by_what_was_found_and_not_by_its_words(
    service: Service, directory: str
) -> None:
    (service.root / directory / "blob an edge says").write_bytes(b"")
    [finding] = await found_by(service)

    mended = await Repair(service.database, service.store, service.state.clock).repair(finding)

    assert mended.repaired == "removed"
    assert await found_by(service) == []
