"""fsck on impossible rows and unreadable directories."""

import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from unittest.mock import Mock

import pytest

from oci.digest import Digest
from oci.reference import Tag
from registry.admin.command import Document
from registry.admin.integrity import fsck
from registry.errors import BlobUnknown, StorageUnreadable
from registry.gc.orphans import sweep
from registry.gc.report import GcReport
from registry.storage.blobs.file_count import ALWAYS_ALLOWED
from tests.support.images import an_image
from tests.support.registry.integrity import findings
from tests.support.registry.storage import Service, pull_blob, push_blob, push_image


async def file_of(service: Service, digest: Digest) -> Path:
    query = "SELECT physical FROM blobs WHERE digest = :digest"
    ((physical,),) = await service.rows(query, digest=str(digest))
    return Path(service.root, "blobs", physical[:2], physical)


async def alter(service: Service, statement: str, **values: str) -> None:
    """Change rows as no service would, with foreign keys off."""
    with sqlite3.connect(service.root / "registry.db") as connection:
        connection.execute(statement, values)
    connection.close()


@pytest.mark.parametrize("name", ["../../../etc/passwd", "ab", "", "ab/" + "a" * 64])
async def test_a_row_with_a_name_that_leads_out_of_the_store_is_a_finding(
    service: Service, name: str
) -> None:
    """And it neither ends the check, nor the pulls, nor the collecting."""
    digest = await push_blob(service.repository(), b"content")
    other = await push_blob(service.repository(), b"other")
    (await file_of(service, other)).unlink()
    await alter(
        service,
        "UPDATE blobs SET physical = :name WHERE digest = :digest",
        name=name,
        digest=str(digest),
    )

    found = await findings(service, deep=True)

    assert {finding.what for finding in found if not finding.harmless} == {
        f"blob {digest}",
        f"blob {other}",
    }
    with pytest.raises(BlobUnknown):
        await pull_blob(service.repository(), digest)
    with pytest.raises(BlobUnknown):
        await service.repository().blobs.stat(digest)
    assert await service.store.remove([name]) == {}
    repaired = await findings(service, repair=True)
    assert "marked corrupt" in {finding.repaired for finding in repaired}


async def test_rows_whose_digests_are_none_end_no_check(service: Service) -> None:
    image = an_image()
    await push_image(service.repository(), image, Tag("v1"))
    layer = image.layers[0].descriptor.digest
    await alter(service, "UPDATE blobs SET digest = 'x' WHERE digest = :layer", layer=str(layer))
    await alter(service, "UPDATE manifests SET digest = 'y'")
    await alter(
        service, "UPDATE manifest_edges SET child = position || 'z', blob = NULL, parent = 'y'"
    )

    found = await findings(service, deep=True)

    none = [finding.what for finding in found if "an invalid digest" in finding.found]
    assert none == ["blob x", "manifest team/app@y"]
    await findings(service, deep=True, repair=True)


async def test_a_directory_of_the_store_that_is_a_link_is_a_finding(
    service: Service, tmp_path: Path
) -> None:
    digest = await push_blob(service.repository(), b"content")
    part = (await file_of(service, digest)).parent
    part.rename(tmp_path / "elsewhere")
    part.symlink_to(tmp_path / "elsewhere")

    found = await findings(service)

    assert (f"blobs/{part.name}", "a directory of the store") in [
        (finding.what, finding.expected) for finding in found
    ]
    assert ("I1", f"its directory blobs/{part.name} is no directory") in [
        (finding.invariant, finding.found.partition(": ")[2]) for finding in found
    ]
    with pytest.raises(StorageUnreadable, match="is no directory"):
        await pull_blob(service.repository(), digest)
    report = GcReport()
    await sweep(service.state, report)
    assert report.orphans == 0


async def test_many_files_without_rows_are_wrong_and_no_repair_removes_them(
    service: Service,
) -> None:
    for number in range(ALWAYS_ALLOWED + 1):
        await push_blob(service.repository(), b"acknowledged %d" % number)
    before = service.files()
    await alter(service, "DELETE FROM repo_blobs")
    await alter(service, "DELETE FROM blobs")

    async with repairing(service) as documents:
        found = [document["finding"] async for document in documents if "finding" in document]

    assert service.files() == before
    assert [finding["what"] for finding in found if not finding["harmless"]] == ["files"]
    assert {finding["repaired"] for finding in found} == {""}


@contextlib.asynccontextmanager
async def repairing(service: Service) -> AsyncIterator[AsyncIterator[Document]]:
    """`registry fsck --repair` of the service's root."""
    yield fsck(Mock(spec=["state"], state=service.state), repair=True)
