"""List referrers, on the wire."""

import httpx2
import pytest

from oci.digest import Digest
from oci.http import parse_link
from oci.mediatype import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST
from tests.support.images import Image, an_image, an_index
from tests.support.registry.wire import NAME, push_image, push_manifest, refused

IMAGE = an_image()
SBOM = "application/vnd.example.sbom.v1+json"
SIGNATURE = "application/vnd.example.signature.v1"
PATH = f"/v2/{NAME}/referrers"


def a_referrer(seed: str, artifact_type: str | None = SBOM) -> Image:
    return an_image(
        seed=seed,
        subject=IMAGE.descriptor,
        artifact_type=artifact_type,
        annotations={"org.example.seed": seed},
    )


async def push_all(client: httpx2.AsyncClient, *images: Image) -> None:
    for image in images:
        await push_image(client, image, str(image.digest))


async def test_a_subject_without_referrers_has_an_empty_index(client: httpx2.AsyncClient) -> None:
    answer = await client.get(f"/v2/no/such/repository/referrers/{IMAGE.digest}")

    assert answer.status_code == 200
    assert answer.headers["content-type"] == OCI_INDEX
    assert answer.json() == {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}


async def test_referrers_are_described_with_type_and_annotations(
    client: httpx2.AsyncClient,
) -> None:
    sbom, plain = a_referrer("one"), a_referrer("two", None)
    index = an_index(sbom, subject=IMAGE.descriptor, annotations={"an": "index"})
    await push_all(client, sbom, plain)
    await push_manifest(client, index.manifest, index.media_type, str(index.digest))

    answer = await client.get(f"{PATH}/{IMAGE.digest}")

    found = {entry["digest"]: entry for entry in answer.json()["manifests"]}
    assert set(found) == {str(sbom.digest), str(plain.digest), str(index.digest)}
    assert found[str(sbom.digest)] == {
        "mediaType": OCI_MANIFEST,
        "digest": str(sbom.digest),
        "size": len(sbom.manifest),
        "artifactType": SBOM,
        "annotations": {"org.example.seed": "one"},
    }
    assert found[str(plain.digest)]["artifactType"] == OCI_CONFIG
    assert "artifactType" not in found[str(index.digest)]
    assert found[str(index.digest)]["annotations"] == {"an": "index"}


@pytest.mark.parametrize("encoded", [SBOM.replace("+", "%2B"), SBOM])
async def test_a_filter_leaves_the_others_out_and_says_so(
    client: httpx2.AsyncClient, encoded: str
) -> None:
    sbom, signature = a_referrer("one"), a_referrer("two", SIGNATURE)
    await push_all(client, sbom, signature)

    answer = await client.get(f"{PATH}/{IMAGE.digest}?artifactType={encoded}")
    unfiltered = await client.get(f"{PATH}/{IMAGE.digest}")

    assert [entry["digest"] for entry in answer.json()["manifests"]] == [str(sbom.digest)]
    assert answer.headers["oci-filters-applied"] == "artifactType"
    assert "oci-filters-applied" not in unfiltered.headers


@pytest.mark.parametrize("n", [1, 2, 3, 5])
async def test_pages_joined_are_the_list(client: httpx2.AsyncClient, n: int) -> None:
    images = [a_referrer(str(seed)) for seed in range(5)]
    await push_all(client, *images, a_referrer("other", SIGNATURE))
    found: list[str] = []
    target: str | None = f"{PATH}/{IMAGE.digest}?n={n}&artifactType={SBOM.replace('+', '%2B')}"

    while target is not None:
        answer = await client.get(target)
        assert answer.headers["oci-filters-applied"] == "artifactType"
        found += [entry["digest"] for entry in answer.json()["manifests"]]
        target = parse_link(answer.headers["link"]) if "link" in answer.headers else None

    assert sorted(found) == sorted(str(image.digest) for image in images)


async def test_a_page_is_never_larger_than_clients_read(client: httpx2.AsyncClient) -> None:
    images = [
        an_image(seed=str(n), subject=IMAGE.descriptor, annotations={"filler": "é" * 300_000})
        for n in range(4)
    ]
    await push_all(client, *images)
    found: list[str] = []
    pages = 0
    target: str | None = f"{PATH}/{IMAGE.digest}"

    while target is not None:
        answer = await client.get(target)
        assert len(answer.content) <= 4 * 1024 * 1024
        found += [entry["digest"] for entry in answer.json()["manifests"]]
        target = parse_link(answer.headers["link"]) if "link" in answer.headers else None
        pages += 1

    assert pages > 1
    assert sorted(found) == sorted(str(image.digest) for image in images)


async def test_az_8_referrers_come_from_the_same_repository_only(
    client: httpx2.AsyncClient,
) -> None:
    await push_image(client, a_referrer("one"), name="team/private")

    answer = await client.get(f"{PATH}/{IMAGE.digest}")

    assert answer.json()["manifests"] == []


async def test_a_deleted_referrer_is_gone_at_once(client: httpx2.AsyncClient) -> None:
    image = a_referrer("one")
    await push_all(client, image)

    await client.delete(f"/v2/{NAME}/manifests/{image.digest}")

    assert (await client.get(f"{PATH}/{IMAGE.digest}")).json()["manifests"] == []


@pytest.mark.parametrize("digest", ["latest", "sha256:xyz", "md5:00", f"sha256:{'0' * 63}"])
async def test_a_subject_that_is_no_digest_is_refused(
    client: httpx2.AsyncClient, digest: str
) -> None:
    refused(await client.get(f"{PATH}/{digest}"), 400, "DIGEST_INVALID")


async def test_a_sha512_subject_is_found_by_its_own_name(client: httpx2.AsyncClient) -> None:
    subject = Digest.of(IMAGE.manifest, "sha512")

    answer = await client.get(f"{PATH}/{subject}")

    assert answer.status_code == 200
    assert answer.json()["manifests"] == []
