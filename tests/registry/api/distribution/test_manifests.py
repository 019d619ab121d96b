"""Pull, push, delete a manifest, on the wire."""

import asyncio
import json

import httpx2
import pytest

from oci.descriptor import Descriptor
from oci.digest import Digest
from oci.manifest import MAX_MANIFEST_BYTES
from oci.mediatype import OCI_INDEX, OCI_MANIFEST
from tests.registry.api.conftest import Opener
from tests.support.images import an_image, an_index
from tests.support.registry.wire import (
    NAME,
    push_blob,
    push_image,
    push_manifest,
    put_manifest,
    refused,
)

IMAGE = an_image(layers=2)
PATH = f"/v2/{NAME}/manifests"


@pytest.mark.parametrize("docker", [False, True], ids=["oci", "docker"])
@pytest.mark.parametrize("by", ["tag", "digest"])
async def test_a_manifest_comes_back_byte_for_byte(
    client: httpx2.AsyncClient, docker: bool, by: str
) -> None:
    image = an_image(docker=docker)
    await push_image(client, image)
    reference = "latest" if by == "tag" else image.digest

    answer = await client.get(f"{PATH}/{reference}")

    assert answer.status_code == 200
    assert answer.content == image.manifest
    assert answer.headers["content-type"] == image.media_type
    assert answer.headers["docker-content-digest"] == str(image.digest)
    assert answer.headers["etag"] == f'"{image.digest}"'


@pytest.mark.parametrize("media_type", ["", "text/html", "a/b; c=d", None])
async def test_a_manifest_is_taken_whatever_media_type_its_config_and_layers_have(
    client: httpx2.AsyncClient, media_type: str | None
) -> None:
    blob = {"mediaType": media_type, "digest": str(await push_blob(client, b"{}")), "size": 2}
    manifest = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": blob, "layers": [blob]}
    content = json.dumps(manifest | {"annotations": {"a": None}}).encode()

    await push_manifest(client, content, OCI_MANIFEST)

    assert (await client.get(f"{PATH}/latest")).content == content


async def test_head_tells_type_size_and_digest(client: httpx2.AsyncClient) -> None:
    await push_image(client, IMAGE)

    answer = await client.head(f"{PATH}/latest")

    assert answer.status_code == 200
    assert answer.content == b""
    assert answer.headers["content-type"] == OCI_MANIFEST
    assert answer.headers["content-length"] == str(len(IMAGE.manifest))
    assert answer.headers["docker-content-digest"] == str(IMAGE.digest)


async def test_a_push_says_where_the_manifest_is(client: httpx2.AsyncClient) -> None:
    for content in IMAGE.blobs.values():
        await push_blob(client, content)

    answer = await put_manifest(client, IMAGE.manifest, "v1")

    assert answer.status_code == 201
    assert answer.headers["location"] == f"{PATH}/{IMAGE.digest}"
    assert answer.headers["docker-content-digest"] == str(IMAGE.digest)
    assert "oci-subject" not in answer.headers
    assert (await client.get(answer.headers["location"])).content == IMAGE.manifest


async def test_more_tags_come_with_one_push(client: httpx2.AsyncClient) -> None:
    await push_image(client, IMAGE)
    tags = [f"v{n}" for n in range(20)]
    query = "&".join(f"tag={tag}" for tag in tags)

    answer = await put_manifest(client, IMAGE.manifest, f"{IMAGE.digest}?{query}")

    assert answer.status_code == 201
    assert set(answer.headers["oci-tag"].split(", ")) == set(tags)
    for tag in tags:
        found = await client.head(f"{PATH}/{tag}")
        assert found.headers["docker-content-digest"] == str(IMAGE.digest)


async def test_a_tag_answers_with_the_digest_it_was_pushed_with(client: httpx2.AsyncClient) -> None:
    await push_image(client, IMAGE)
    digest = Digest.of(IMAGE.manifest, "sha512")

    pushed = await put_manifest(client, IMAGE.manifest, f"{digest}?tag=by-sha512")
    answer = await client.get(f"{PATH}/by-sha512")

    assert pushed.status_code == 201
    assert answer.headers["docker-content-digest"] == str(digest)
    assert answer.content == IMAGE.manifest
    assert (await client.get(f"{PATH}/latest")).headers["docker-content-digest"] == str(
        IMAGE.digest
    )


async def test_a_subject_is_acknowledged_and_need_not_exist(client: httpx2.AsyncClient) -> None:
    subject = Descriptor(OCI_MANIFEST, Digest.of(b"not pushed"), 10)
    image = an_image(subject=subject)

    for content in image.blobs.values():
        await push_blob(client, content)
    answer = await put_manifest(client, image.manifest)

    assert answer.status_code == 201
    assert answer.headers["oci-subject"] == str(subject.digest)


async def test_an_index_is_pushed_after_its_images(client: httpx2.AsyncClient) -> None:
    index = an_index()
    for image in index.images:
        await push_image(client, image, str(image.digest))

    await push_manifest(client, index.manifest, index.media_type)

    answer = await client.get(f"{PATH}/latest")
    assert answer.content == index.manifest
    assert answer.headers["content-type"] == OCI_INDEX


async def test_an_index_of_absent_platforms_is_refused_unless_the_registry_is_sparse(
    open_registry: Opener,
) -> None:
    index = an_index()

    async with open_registry(sparse="refuse") as client:
        refusal = await put_manifest(client, index.manifest, media_type=OCI_INDEX)
    async with open_registry(sparse="index") as client:
        admitted = await put_manifest(client, index.manifest, media_type=OCI_INDEX)
        image = await put_manifest(client, IMAGE.manifest, "image")
    async with open_registry(sparse="any") as client:
        mirrored = await put_manifest(client, IMAGE.manifest, "image")

    refused(refusal, 404, "MANIFEST_BLOB_UNKNOWN")
    assert admitted.status_code == 201
    assert admitted.headers["warning"] == '299 - "2 named digests are not here yet"'
    refused(image, 404, "MANIFEST_BLOB_UNKNOWN")
    assert mirrored.status_code == 201


async def test_a_content_type_may_have_parameters_or_be_missing(client: httpx2.AsyncClient) -> None:
    await push_image(client, IMAGE)

    with_parameters = await put_manifest(
        client, IMAGE.manifest, "a", f"{OCI_MANIFEST}; charset=utf-8; x=y"
    )
    without = await put_manifest(client, IMAGE.manifest, "b", None)

    assert with_parameters.status_code == without.status_code == 201
    for tag in ("a", "b"):
        assert (await client.get(f"{PATH}/{tag}")).headers["content-type"] == OCI_MANIFEST


@pytest.mark.parametrize("accept", ["text/html", OCI_INDEX, "application/json", "*/*", ""])
async def test_in_5_accept_changes_nothing(client: httpx2.AsyncClient, accept: str) -> None:
    await push_image(client, IMAGE)

    answer = await client.get(f"{PATH}/latest", headers={"Accept": accept})

    assert answer.status_code == 200
    assert answer.headers["content-type"] == OCI_MANIFEST
    assert answer.content == IMAGE.manifest


async def test_a_manifest_of_almost_four_mebibytes_is_stored(client: httpx2.AsyncClient) -> None:
    await push_image(client, IMAGE)
    document = json.loads(IMAGE.manifest)
    document["annotations"] = {"filler": "x" * (MAX_MANIFEST_BYTES - len(IMAGE.manifest) - 100)}
    content = json.dumps(document, separators=(",", ":")).encode()

    answer = await put_manifest(client, content, "large")

    assert MAX_MANIFEST_BYTES - 200 < len(content) <= MAX_MANIFEST_BYTES
    assert answer.status_code == 201
    assert (await client.get(f"{PATH}/large")).content == content


async def test_a_deleted_tag_leaves_the_manifest_and_its_other_tags(
    client: httpx2.AsyncClient,
) -> None:
    await push_image(client, IMAGE, "one")
    await push_manifest(client, IMAGE.manifest, OCI_MANIFEST, "two")

    answer = await client.delete(f"{PATH}/one")

    assert answer.status_code == 202
    assert (await client.head(f"{PATH}/one")).status_code == 404
    assert (await client.head(f"{PATH}/two")).status_code == 200
    assert (await client.head(f"{PATH}/{IMAGE.digest}")).status_code == 200


async def test_a_deleted_manifest_takes_every_tag_with_it(client: httpx2.AsyncClient) -> None:
    await push_image(client, IMAGE, "one")
    await push_manifest(client, IMAGE.manifest, OCI_MANIFEST, "two")

    answer = await client.delete(f"{PATH}/{IMAGE.digest}")

    assert answer.status_code == 202
    for reference in ("one", "two", IMAGE.digest):
        assert (await client.head(f"{PATH}/{reference}")).status_code == 404


@pytest.mark.parametrize("form", ['"{0}"', "{0}", 'W/"{0}"', "*"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_reader_that_has_the_manifest_gets_a_304(
    client: httpx2.AsyncClient, form: str, method: str
) -> None:
    await push_image(client, IMAGE)

    answer = await client.request(
        method, f"{PATH}/latest", headers={"If-None-Match": form.format(IMAGE.digest)}
    )

    assert answer.status_code == 304
    assert answer.content == b""
    assert answer.headers["docker-content-digest"] == str(IMAGE.digest)


async def test_if_none_match_keeps_a_tag_from_being_overwritten(client: httpx2.AsyncClient) -> None:
    other = an_image(seed="other")
    await push_image(client, IMAGE)
    await push_image(client, other, "other")

    refusal = await put_manifest(client, other.manifest, "latest", If_None_Match="*")
    new = await put_manifest(client, other.manifest, "new", If_None_Match="*")

    assert str(IMAGE.digest) in refused(refusal, 412, "DENIED")["message"]
    assert new.status_code == 201
    found = await client.head(f"{PATH}/latest")
    assert found.headers["docker-content-digest"] == str(IMAGE.digest)


async def test_if_match_moves_a_tag_only_from_where_it_was_seen(client: httpx2.AsyncClient) -> None:
    other = an_image(seed="other")
    await push_image(client, IMAGE)
    await push_image(client, other, "other")

    stale = await put_manifest(client, other.manifest, "latest", If_Match=f'"{other.digest}"')
    absent = await put_manifest(client, other.manifest, "absent", If_Match="*")
    fresh = await put_manifest(client, other.manifest, "latest", If_Match=f'"{IMAGE.digest}"')

    refused(stale, 412, "DENIED")
    refused(absent, 412, "DENIED")
    assert fresh.status_code == 201


async def test_content_by_digest_may_be_kept_forever_and_a_tag_may_not(
    client: httpx2.AsyncClient,
) -> None:
    await push_image(client, IMAGE)

    by_digest = await client.get(f"{PATH}/{IMAGE.digest}")
    by_tag = await client.get(f"{PATH}/latest")

    assert by_digest.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert by_tag.headers["cache-control"] == "private, no-store"


async def test_one_of_concurrent_creations_of_a_tag_wins(client: httpx2.AsyncClient) -> None:
    images = [an_image(seed=str(n)) for n in range(5)]
    for image in images:
        await push_image(client, image, str(image.digest))

    answers = await asyncio.gather(
        *(put_manifest(client, image.manifest, "new", If_None_Match="*") for image in images)
    )

    assert sorted(answer.status_code for answer in answers) == [201, 412, 412, 412, 412]
    won = next(n for n, answer in enumerate(answers) if answer.status_code == 201)
    found = await client.head(f"{PATH}/new")
    assert found.headers["docker-content-digest"] == str(images[won].digest)
