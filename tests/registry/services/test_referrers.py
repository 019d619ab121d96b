"""Referrers: manifests with a given subject, present or not."""

import json

import pytest

from oci.descriptor import Descriptor
from oci.digest import Digest
from oci.encoding import image_index, image_manifest
from oci.mediatype import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST
from registry.services.repositories import Repository
from tests.support.images import an_image
from tests.support.registry.storage import Service, push_blob, push_image

SBOM, SIGNATURE = "application/vnd.example.sbom", "application/vnd.example.signature"
SUBJECT = Descriptor(OCI_MANIFEST, Digest.of(b"not pushed, and need not be"), 27)


async def push_referrer(
    repository: Repository,
    artifact_type: str | None,
    *,
    note: str = "",
    subject: Descriptor = SUBJECT,
) -> Descriptor:
    await push_blob(repository, b"{}")
    content = image_manifest(
        Descriptor(OCI_CONFIG, Digest.of(b"{}"), 2),
        [],
        subject=subject,
        artifact_type=artifact_type,
        annotations={"note": note},
    )
    pushed = await repository.manifests.push(Digest.of(content), content, OCI_MANIFEST)
    assert pushed.subject == subject.digest
    return Descriptor(
        OCI_MANIFEST,
        pushed.digest,
        len(content),
        artifact_type=artifact_type or OCI_CONFIG,
        annotations={"note": note},
    )


async def listed(
    repository: Repository,
    *,
    artifact_type: str | None = None,
    last: Digest | None = None,
    n: int = 100,
    max_bytes: int = 1 << 20,
) -> tuple[list[Descriptor], bool]:
    page = await repository.referrers.list(
        SUBJECT.digest, artifact_type=artifact_type, last=last, n=n, max_bytes=max_bytes
    )
    return list(page.items), page.more


async def test_an_unknown_digest_has_no_referrers(repository: Repository) -> None:
    assert await listed(repository) == ([], False)
    await push_image(repository, an_image())
    assert await listed(repository) == ([], False)


async def test_a_referrer_brings_its_type_and_its_annotations(repository: Repository) -> None:
    sbom = await push_referrer(repository, SBOM, note="of the build")

    assert await listed(repository) == ([sbom], False)


async def test_an_image_without_a_type_has_its_configs(repository: Repository) -> None:
    plain = await push_referrer(repository, None)

    ((found,), _) = await listed(repository)

    assert found == plain
    assert found.artifact_type == OCI_CONFIG


async def test_an_index_without_a_type_has_none(repository: Repository) -> None:
    content = image_index([], subject=SUBJECT)
    await repository.manifests.push(Digest.of(content), content, OCI_INDEX)

    ((found,), _) = await listed(repository)

    assert (found.media_type, found.artifact_type) == (OCI_INDEX, None)


async def test_the_filter_excludes_other_types(repository: Repository) -> None:
    sbom = await push_referrer(repository, SBOM)
    await push_referrer(repository, SIGNATURE)

    assert await listed(repository, artifact_type=SBOM) == ([sbom], False)
    assert await listed(repository, artifact_type="application/vnd.none") == ([], False)


async def test_pages_joined_are_the_list(repository: Repository) -> None:
    everything = [await push_referrer(repository, SBOM, note=str(n)) for n in range(7)]
    everything.sort(key=lambda descriptor: str(descriptor.digest))

    found: list[Descriptor] = []
    more = True
    while more:
        items, more = await listed(repository, last=found[-1].digest if found else None, n=3)
        found += items

    assert found == everything


async def test_az_8_referrers_are_of_the_same_repository(service: Service) -> None:
    await push_referrer(service.repository("private"), SBOM)

    assert await listed(service.repository("other")) == ([], False)


async def test_a_deleted_referrer_is_gone_at_once(repository: Repository) -> None:
    sbom = await push_referrer(repository, SBOM)

    await repository.manifests.delete(sbom.digest)

    assert await listed(repository) == ([], False)


@pytest.mark.parametrize("subject_first", [True, False])
async def test_subject_and_referrer_come_in_either_order(
    repository: Repository, subject_first: bool
) -> None:
    image = an_image()
    if subject_first:
        await push_image(repository, image)
    sbom = await push_referrer(repository, SBOM, subject=image.descriptor)
    if not subject_first:
        await push_image(repository, image)

    page = await repository.referrers.list(
        image.digest, artifact_type=None, last=None, n=10, max_bytes=1 << 20
    )

    assert page.items == (sbom,)


async def test_a_page_ends_at_its_byte_limit_and_the_next_continues(repository: Repository) -> None:
    pushed = [await push_referrer(repository, SBOM, note="x" * 1000 + str(n)) for n in range(5)]
    pushed.sort(key=lambda descriptor: str(descriptor.digest))

    first, more = await listed(repository, max_bytes=2500)
    rest, no_more = await listed(repository, last=first[-1].digest, max_bytes=1 << 20)
    [alone], _ = await listed(repository, max_bytes=1)

    assert (first, more) == (pushed[:2], True)
    assert (rest, no_more) == (pushed[2:], False)
    assert alone == pushed[0]


async def test_no_more_rows_are_read_than_a_page_holds(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four requests at once once loaded a thousand annotations of 4 MiB each."""
    for number in range(20):
        await push_referrer(repository, SBOM, note="x" * 1000 + str(number))
    read, real = [], json.loads

    def counting(text: str) -> object:
        read.append(len(text))
        return real(text)

    monkeypatch.setattr("registry.storage.metadata.referrers.json.loads", counting)
    found, more = await listed(repository, max_bytes=3000)

    assert more
    assert len(found) == 2
    assert len(read) == 3
