"""fsck reports every broken rule and the tags it affects, and nothing else."""

import asyncio
import os
import sqlite3
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import Connection, text

from oci.digest import Digest
from oci.reference import Tag
from registry.errors import BlobUnknown
from registry.gc.orphans import sweep
from registry.gc.report import GcReport
from registry.integrity.findings import Finding
from tests.support.images import an_image, an_index
from tests.support.registry.integrity import findings
from tests.support.registry.storage import (
    Service,
    a_service,
    body,
    pull_blob,
    push_blob,
    push_image,
    push_index,
)

pytestmark = pytest.mark.takes(12)

STRAY = "01234567-89ab-4def-8123-456789abcdef"


async def judged(service: Service, *, deep: bool = False) -> list[tuple[str, str]]:
    return [(finding.invariant, finding.found) for finding in await findings(service, deep=deep)]


async def file_of(service: Service, digest: Digest) -> Path:
    query = "SELECT physical FROM blobs WHERE digest = :digest"
    ((physical,),) = await service.rows(query, digest=str(digest))
    return Path(service.root, "blobs", physical[:2], physical)


def flip_a_bit(path: Path, position: int = 0) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.chmod(0o600)
    path.write_bytes(content)


async def change(service: Service, statement: str, *, foreign_keys: bool = True) -> None:
    """Change rows as no service would."""

    def unit(connection: Connection) -> None:
        connection.execute(text(statement))

    if foreign_keys:
        await service.database.write(unit)
        return
    with sqlite3.connect(service.root / "registry.db", isolation_level=None) as connection:
        connection.execute(statement)
    connection.close()


@pytest.fixture
async def full(service: Service) -> Service:
    """A registry in use: an image, an index, a mount, a session, and what was deleted."""
    repository, other = service.repository(), service.repository("team/other")
    await push_image(repository, an_image(layers=2, seed="kept"), Tag("v1"), Tag("latest"))
    await push_index(repository, an_index(), Tag("multi"))
    layer = next(iter(an_image(layers=2, seed="kept").blobs))
    assert await other.uploads.mount(layer, repository)
    session = await repository.uploads.start()
    await repository.uploads.append(session.id, body(b"half"), start=0, length=None)
    await push_image(repository, an_image(seed="gone"), Tag("gone"))
    await repository.manifests.delete(an_image(seed="gone").digest)
    return service


async def test_nothing_is_wrong_with_a_registry_in_use(full: Service) -> None:
    assert await findings(full, deep=True) == []


async def test_a_missing_file_is_found_with_the_tags_it_affects(full: Service) -> None:
    layer = an_image(layers=2, seed="kept").layers[1].descriptor.digest
    (await file_of(full, layer)).unlink()

    (finding,) = await findings(full)

    assert (finding.invariant, finding.found) == ("I1", "no file")
    assert str(layer) in finding.what
    assert finding.affects == ("team/app:latest", "team/app:v1")


async def test_a_blob_of_an_indexs_image_affects_the_tag_of_the_index(full: Service) -> None:
    layer = an_index().images[0].layers[0].descriptor.digest
    (await file_of(full, layer)).unlink()

    (finding,) = await findings(full)

    assert "team/app:multi" in finding.affects


async def test_a_file_cut_short_is_found(full: Service) -> None:
    path = await file_of(full, an_image(layers=2, seed="kept").layers[0].descriptor.digest)
    path.chmod(0o600)
    os.truncate(path, 3)

    assert await judged(full) == [("I1", "a file of 3 bytes")]


async def test_one_flipped_bit_is_found_by_reading(full: Service) -> None:
    flip_a_bit(await file_of(full, an_image(layers=2, seed="kept").layers[0].descriptor.digest))

    assert await judged(full) == []
    ((invariant, found),) = await judged(full, deep=True)
    assert invariant == "I2"
    assert found.startswith("bytes with digest sha256:")


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE manifests SET content = x'7b7d' WHERE digest = '{manifest}'", "2 bytes"),
        ("UPDATE manifests SET size = 2, content = x'7b7d' WHERE digest = '{manifest}'", "bytes"),
        ("UPDATE manifest_edges SET size = 5 WHERE parent = '{manifest}' AND position = 1", "3 ed"),
        ("DELETE FROM manifest_edges WHERE parent = '{manifest}' AND position = 2", "2 edges"),
    ],
)
async def test_a_corrupt_manifest_is_found(full: Service, statement: str, found: str) -> None:
    manifest = an_image(layers=2, seed="kept").digest
    await change(full, statement.format(manifest=manifest))

    (finding,) = await findings(full, deep=True)

    assert finding.invariant == "I3"
    assert finding.found.startswith(found)
    assert finding.affects == ("team/app:latest", "team/app:v1")


GONE = an_image(seed="gone")


@pytest.mark.parametrize(
    ("values", "found", "deep"),
    [
        ("content = x'7b7d'", "2 bytes", False),
        ("content = x'7b7d', size = 2", f"bytes with digest {Digest.of(b'{}')}", True),
        ("media_type = 'text/plain'", "not a manifest", True),
        ("tags = 'v1'", "tags 'v1'", False),
        ("tags = '{}'", "tags '{}'", False),
        ("tags = '[7]'", "tags '[7]'", False),
        ("tags = '[\"a tag\"]'", "tags '[\"a tag\"]'", False),
        ("present = '['", "present digests '['", False),
        ("present = '[\"gone\"]'", "present digests '[\"gone\"]'", False),
        (f"present = '[\"{GONE.digest}\"]'", f"the digest {GONE.digest}", True),
    ],
)
async def test_a_corrupt_manifest_in_the_trash_is_found_and_left_there(
    full: Service, values: str, found: str, deep: bool
) -> None:
    await change(full, f"UPDATE trash_manifests SET {values}")  # noqa: S608

    (finding,) = await findings(full, deep=deep, repair=True)

    assert (finding.invariant, finding.what) == ("I3", f"trash team/app@{GONE.digest}")
    assert finding.found.startswith(found)
    assert finding.repaired == ""
    assert len(await full.rows("SELECT id FROM trash_manifests")) == 1


async def test_every_manifest_in_the_trash_is_looked_at(full: Service) -> None:
    """They are read a hundred at a time."""
    columns = "repository_id, digest, deleted_at, deleted_by, epoch, tags, present, media_type"
    copy = f"INSERT INTO trash_manifests ({columns}, size, content) SELECT {columns}, size, content"
    for _ in range(8):
        await change(full, f"{copy} FROM trash_manifests")
    await change(full, "UPDATE trash_manifests SET tags = '' WHERE id > 250")

    assert len(await findings(full)) == 6


@pytest.mark.parametrize(
    ("statement", "invariants"),
    [
        ("UPDATE manifest_edges SET blob = NULL WHERE position = 1", {"I4"}),
        ("UPDATE manifest_edges SET manifest = NULL", {"I4"}),
        ("UPDATE tags SET version = 7 WHERE name = 'v1'", {"I4"}),
        ("UPDATE audit SET identity = 'mallory' WHERE id = 3", {"I12"}),
        ("DELETE FROM audit WHERE id = 2", {"I12"}),
        ("UPDATE alembic_version SET version_num = '0000'", {"I19"}),
    ],
)
async def test_rows_that_break_a_rule_are_found(
    full: Service, statement: str, invariants: set[str]
) -> None:
    await change(full, statement)

    assert {invariant for invariant, _ in await judged(full)} == invariants


@pytest.mark.parametrize("table", ["manifests", "repo_blobs", "blobs"])
async def test_rows_that_lead_nowhere_are_found_and_made_absent(full: Service, table: str) -> None:
    await change(full, f"DELETE FROM {table}", foreign_keys=False)  # noqa: S608

    found = await findings(full, repair=True)

    assert {finding.invariant for finding in found if not finding.harmless} == {"I4"}
    assert any(finding.repaired for finding in found)
    left = await findings(full)
    assert [finding for finding in left if not finding.harmless] == []


async def test_files_without_rows_are_harmless_and_removed(full: Service) -> None:
    encoded = "ab" * 32
    (full.root / "blobs" / "ab" / f"{encoded}-{uuid4()}").write_bytes(b"orphan")
    (full.root / "blobs" / "ab" / "strange name").write_bytes(b"")
    (full.root / "uploads" / str(uuid4())).write_bytes(b"orphan")
    before = full.files()

    found = await findings(full, repair=True)

    assert [(finding.invariant, finding.harmless) for finding in found] == [("I9", True)] * 3
    assert {finding.repaired for finding in found} == {"removed"}
    assert len(full.files()) == len(before) - 3
    assert await findings(full, deep=True) == []


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (f"blobs/ab/{'ab' * 32}-{STRAY}", "the sweep will take it"),
        (f"uploads/{STRAY}", "the sweep will take it"),
        ("blobs/ab/strange name", "the sweep leaves it alone, --repair removes it"),
        ("uploads/strange name", "the sweep leaves it alone, --repair removes it"),
        ("blobs/stray.txt", "it is left alone"),
        ("blobs/zz/", "it is left alone"),
        (f"blobs/ab/{'ab' * 32}-{STRAY}/", "it is left alone"),
        ("uploads/strange directory/", "it is left alone"),
    ],
)
async def test_the_finding_for_an_orphan_predicts_its_removal(
    full: Service, place: str, words: str
) -> None:
    stray = full.root / place
    stray.mkdir() if place.endswith("/") else stray.write_bytes(b"stray")

    (finding,) = await findings(full)
    await sweep(full.state, report := GcReport())
    is_swept = not stray.exists()
    repaired = await findings(full, repair=True)
    is_mended = not stray.exists()

    assert words in finding.expected
    assert is_swept == ("sweep will" in words)
    assert is_mended == ("left alone" not in words)
    assert report.unknown_files == (not is_swept)
    assert [each.repaired for each in repaired] == {
        "the sweep will take it": [],
        "it is left alone": [""],
    }.get(words, ["removed"])


async def test_a_session_without_its_file_is_harmless(full: Service) -> None:
    for path in (full.root / "uploads").iterdir():
        path.unlink()

    (finding,) = await findings(full)

    assert (finding.found, finding.harmless) == ("no file", True)


async def test_a_check_changes_nothing(full: Service) -> None:
    (await file_of(full, an_image(layers=2, seed="kept").layers[0].descriptor.digest)).unlink()
    (full.root / "uploads" / str(uuid4())).write_bytes(b"orphan")
    before = (
        full.files(),
        await full.rows("SELECT * FROM blobs"),
        await full.rows("SELECT * FROM audit"),
    )

    await findings(full, deep=True)

    after = (
        full.files(),
        await full.rows("SELECT * FROM blobs"),
        await full.rows("SELECT * FROM audit"),
    )
    assert after == before


async def test_corrupt_bytes_are_marked_not_served_and_replaced_by_a_push(full: Service) -> None:
    layer = an_image(layers=2, seed="kept").layers[0]
    digest = layer.descriptor.digest
    flip_a_bit(await file_of(full, digest))

    (finding,) = await findings(full, deep=True, repair=True)

    assert finding.repaired == "marked corrupt"
    for name in ("team/app", "team/other"):
        with pytest.raises(BlobUnknown):
            await full.repository(name).blobs.stat(digest)
    assert await judged(full) == [("I1", "known to be corrupt")]
    await push_blob(full.repository(), layer.blob)
    assert await pull_blob(full.repository(), digest) == layer.blob
    assert await findings(full, deep=True) == []


async def test_a_repair_is_written_to_the_audit(full: Service) -> None:
    digest = an_image(layers=2, seed="kept").layers[0].descriptor.digest
    (await file_of(full, digest)).unlink()

    await findings(full, repair=True)

    query = "SELECT identity, action, target, detail FROM audit ORDER BY id DESC LIMIT 1"
    assert await full.rows(query) == [("fsck", "fsck.repair", f"blob {digest}", "I1: no file")]
    assert ("I12", "another hash") not in await judged(full)


async def test_a_check_beside_writes_reports_nothing_false(tmp_path: Path) -> None:
    async with a_service(tmp_path) as service:

        async def churn(number: int) -> None:
            repository = service.repository(f"r{number}")
            for turn in range(12):
                image = an_image(seed=f"{number}-{turn}")
                await push_image(repository, image, Tag("tag"))
                await repository.manifests.delete(image.digest)
                for digest in image.blobs:
                    await repository.blobs.delete(digest)

        work = asyncio.gather(*(churn(number) for number in range(3)))
        found: list[Finding] = []
        while not work.done():
            found += await findings(service, deep=True)
        await work

    assert [finding for finding in found if not finding.harmless] == []
