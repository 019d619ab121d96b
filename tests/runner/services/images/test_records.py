"""ImageRecords: references point to images, and no image is lost with its last one."""

from pathlib import Path

import pytest

from oci.digest import Digest
from runner.services.images.image import CorruptImage
from runner.services.images.records import ImageCorrupt, ImageRecords
from runner.storage.content.contract import put_document
from runner.storage.content.layout import LayoutContentStore
from tests.support.images import Image, an_image
from tests.support.runner.memory_records import MemoryRecords

ONE, TWO = an_image(seed="one"), an_image(seed="two")
APP, COPY = "registry.test/app:latest", "registry.test/copy:latest"


@pytest.fixture
def content(tmp_path: Path) -> LayoutContentStore:
    return LayoutContentStore(tmp_path)


@pytest.fixture
async def records(content: LayoutContentStore) -> ImageRecords:
    for image in (ONE, TWO):
        await put_document(content, image.digest, image.manifest)
        await put_document(content, Digest.of(image.config), image.config)
    return ImageRecords(MemoryRecords(), content)


async def point(records: ImageRecords, image: Image, *references: str) -> None:
    await records.point(references, image.descriptor, image.digest, image.image_config.image_id)


def references(records: ImageRecords) -> dict[str, Digest]:
    return {record.reference: record.image_id for record in records.all()}


async def test_an_image_is_found_with_its_documents(records: ImageRecords) -> None:
    await point(records, ONE, APP, COPY)

    found = records.find(ONE.image_config.image_id)

    assert found is not None
    assert found.manifest.content == ONE.manifest
    assert found.config.content == ONE.config
    assert {record.reference for record in found.tags} == {APP, COPY}
    assert records.images() == (found,)


async def test_an_image_that_loses_its_last_reference_stays_under_its_id(
    records: ImageRecords,
) -> None:
    one, two = ONE.image_config.image_id, TWO.image_config.image_id
    await point(records, ONE, APP)

    await point(records, TWO, APP)

    assert references(records) == {APP: two, str(one): one}


async def test_an_image_that_keeps_a_reference_has_no_record_under_its_id(
    records: ImageRecords,
) -> None:
    one, two = ONE.image_config.image_id, TWO.image_config.image_id
    await point(records, ONE, APP, COPY)

    await point(records, TWO, APP)

    assert references(records) == {APP: two, COPY: one}


async def test_an_image_without_a_reference_is_recorded_under_its_id(
    records: ImageRecords,
) -> None:
    one = ONE.image_config.image_id

    await point(records, ONE)
    assert references(records) == {str(one): one}
    await point(records, ONE, APP)

    assert references(records) == {APP: one}


async def test_a_reference_that_was_removed_is_gone(records: ImageRecords) -> None:
    await point(records, ONE, APP)

    await records.remove(APP)

    assert records.get(APP) is None
    assert records.find(ONE.image_config.image_id) is None


@pytest.mark.parametrize("lost", ["manifest", "config"])
async def test_an_image_whose_document_is_gone_is_corrupt_and_hides_no_other(
    lost: str, records: ImageRecords, content: LayoutContentStore
) -> None:
    one = ONE.image_config.image_id
    await point(records, ONE, APP)
    await point(records, TWO, COPY)
    await content.delete(ONE.digest if lost == "manifest" else one)

    corrupt, whole = records.images_and_corrupt()

    assert isinstance(corrupt, CorruptImage)
    assert corrupt.id == one
    assert corrupt.diff_ids == (ONE.image_config.diff_ids if lost == "manifest" else ())
    assert records.images() == (whole,)
    assert records.find_or_corrupt(one) == corrupt
    with pytest.raises(ImageCorrupt, match="pull it again"):
        records.find(one)


async def test_documents_are_read_once_until_they_are_evicted(
    records: ImageRecords, content: LayoutContentStore
) -> None:
    one = ONE.image_config.image_id
    await point(records, ONE, APP)
    known = records.find(one)
    await content.delete(ONE.digest)

    assert records.find(one) == known
    records.evict(ONE.digest)

    with pytest.raises(ImageCorrupt):
        records.find(one)
