"""Sizes are exact: deleting a repository or a tag frees its unique bytes."""

import pytest

from oci.reference import RepositoryName, Tag
from registry.errors import ManifestUnknown, NameUnknown
from registry.services.operator import usage
from tests.support.images import an_image, an_index
from tests.support.registry.storage import Service, push_blob, push_image, push_index

ONE, TWO = RepositoryName("one"), RepositoryName("two")
A, B = Tag("a"), Tag("b")


async def test_a_repository_counts_each_blob_once(service: Service) -> None:
    one, two = service.repository("one"), service.repository("two")
    image = an_image(2)
    await push_image(one, image, A, B)
    await push_blob(one, b"own")
    await push_blob(two, b"other")
    blob = next(iter(image.blobs))
    await two.uploads.mount(blob, one)

    size = await usage.of_repository(service.state, ONE)

    total = sum(map(len, image.blobs.values())) + 3
    assert (size.manifests, size.blobs) == (1, 4)
    assert size.manifest_bytes == len(image.manifest)
    assert size.shared == len(image.blobs[blob])
    assert size.unique == total - size.shared
    assert size.bytes == total + len(image.manifest)


async def test_a_tag_alone_has_everything_it_leads_to(service: Service) -> None:
    index = an_index()
    await push_index(service.repository("one"), index, A)

    size = await usage.of_tag(service.state, ONE, A)

    blobs = {digest: blob for image in index.images for digest, blob in image.blobs.items()}
    assert (size.manifests, size.blobs, size.shared) == (3, len(blobs), 0)
    assert size.unique == sum(map(len, blobs.values()))
    manifests = len(index.manifest) + sum(len(image.manifest) for image in index.images)
    assert size.manifest_bytes == manifests


async def test_content_of_another_tag_is_shared(service: Service) -> None:
    repository, index = service.repository("one"), an_index()
    child = index.images[0]
    await push_index(repository, index, A)
    await push_image(repository, child, B)

    of_index = await usage.of_tag(service.state, ONE, A)
    of_child = await usage.of_tag(service.state, ONE, B)

    own = {digest for digest in index.images[1].blobs if digest not in child.blobs}
    assert of_index.unique == sum(len(index.images[1].blobs[digest]) for digest in own)
    assert of_child.unique == 0
    assert of_child.shared == sum(map(len, child.blobs.values()))


async def test_two_tags_on_one_manifest_share_it_all(service: Service) -> None:
    image = an_image()
    await push_image(service.repository("one"), image, A, B)

    size = await usage.of_tag(service.state, ONE, A)

    assert (size.unique, size.shared) == (0, sum(map(len, image.blobs.values())))


async def test_an_absent_repository_or_tag_has_no_size(service: Service) -> None:
    with pytest.raises(NameUnknown):
        await usage.of_repository(service.state, TWO)
    await push_blob(service.repository("two"), b"something")
    with pytest.raises(ManifestUnknown):
        await usage.of_tag(service.state, TWO, A)
