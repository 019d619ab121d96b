"""Pull, push, delete a manifest, on the wire."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx2
import pytest

from oci.descriptor import Descriptor
from oci.digest import Digest
from oci.manifest import MAX_MANIFEST_BYTES
from oci.mediatype import OCI_CONFIG, OCI_INDEX, OCI_LAYER_GZIP, OCI_MANIFEST
from tests.registry.api.conftest import Opener
from tests.registry.api.wire import (
    NAME,
    envelope,
    push_blob,
    push_image,
    push_manifest,
    refused,
)
from tests.support.images import an_image, an_index

IMAGE = an_image(layers=2)
PATH = f"/v2/{NAME}/manifests"


async def put(
    client: httpx2.AsyncClient,
    content: bytes,
    reference: str = "latest",
    media_type: str | None = OCI_MANIFEST,
    **headers: str,
) -> httpx2.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if media_type is not None:
        named["Content-Type"] = media_type
    return await client.put(f"{PATH}/{reference}", content=content, headers=named)


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

    answer = await put(client, IMAGE.manifest, "v1")

    assert answer.status_code == 201
    assert answer.headers["location"] == f"{PATH}/{IMAGE.digest}"
    assert answer.headers["docker-content-digest"] == str(IMAGE.digest)
    assert "oci-subject" not in answer.headers
    assert (await client.get(answer.headers["location"])).content == IMAGE.manifest


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
@pytest.mark.parametrize("reference", ["absent", f"sha256:{'0' * 64}"])
async def test_an_unknown_manifest_is_refused(
    client: httpx2.AsyncClient, method: str, reference: str
) -> None:
    await push_image(client, IMAGE)

    here = await client.request(method, f"{PATH}/{reference}")
    nowhere = await client.request(method, f"/v2/no/such/manifests/{reference}")

    assert here.status_code == nowhere.status_code == 404
    if method != "HEAD":
        assert reference in refused(here, 404, "MANIFEST_UNKNOWN")["message"]
        assert envelope(nowhere)[0]["code"] in ("NAME_UNKNOWN", "MANIFEST_UNKNOWN")


async def test_unknown_references_are_all_named(client: httpx2.AsyncClient) -> None:
    answer = await put(client, IMAGE.manifest)

    entries = envelope(answer)
    assert answer.status_code == 404
    assert {entry["code"] for entry in entries} == {"MANIFEST_BLOB_UNKNOWN"}
    text = " ".join(entry["message"] for entry in entries)
    assert all(str(digest) in text for digest in IMAGE.blobs)
    assert (await client.head(f"{PATH}/latest")).status_code == 404


async def test_az_6_naming_a_blob_of_another_repository_gives_no_access_to_it(
    client: httpx2.AsyncClient,
) -> None:
    await push_image(client, IMAGE, name="team/private")

    answer = await put(client, IMAGE.manifest)

    refused(answer, 404, "MANIFEST_BLOB_UNKNOWN")
    for digest in IMAGE.blobs:
        assert (await client.head(f"/v2/{NAME}/blobs/{digest}")).status_code == 404


async def test_a_digest_other_than_the_contents_is_refused(client: httpx2.AsyncClient) -> None:
    await push_image(client, IMAGE)

    answer = await put(client, IMAGE.manifest + b" ", str(IMAGE.digest))

    refused(answer, 400, "DIGEST_INVALID")


async def test_more_tags_come_with_one_push(client: httpx2.AsyncClient) -> None:
    await push_image(client, IMAGE)
    tags = [f"v{n}" for n in range(20)]
    query = "&".join(f"tag={tag}" for tag in tags)

    answer = await put(client, IMAGE.manifest, f"{IMAGE.digest}?{query}")

    assert answer.status_code == 201
    assert set(answer.headers["oci-tag"].split(", ")) == set(tags)
    for tag in tags:
        found = await client.head(f"{PATH}/{tag}")
        assert found.headers["docker-content-digest"] == str(IMAGE.digest)


async def test_one_bad_tag_refuses_the_whole_push(client: httpx2.AsyncClient) -> None:
    await push_image(client, IMAGE)

    answer = await put(client, IMAGE.manifest, f"{IMAGE.digest}?tag=good&tag=b%20ad")

    refused(answer, 400, "MANIFEST_INVALID")
    assert (await client.head(f"{PATH}/good")).status_code == 404


async def test_too_many_tags_are_refused(client: httpx2.AsyncClient) -> None:
    await push_image(client, IMAGE)
    query = "&".join(f"tag=v{n}" for n in range(101))

    answer = await put(client, IMAGE.manifest, f"{IMAGE.digest}?{query}")

    refused(answer, 414, "UNSUPPORTED")


async def test_a_tag_answers_with_the_digest_it_was_pushed_with(client: httpx2.AsyncClient) -> None:
    await push_image(client, IMAGE)
    digest = Digest.of(IMAGE.manifest, "sha512")

    pushed = await put(client, IMAGE.manifest, f"{digest}?tag=by-sha512")
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
    answer = await put(client, image.manifest)

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
        refusal = await put(client, index.manifest, media_type=OCI_INDEX)
    async with open_registry(sparse="index") as client:
        admitted = await put(client, index.manifest, media_type=OCI_INDEX)
        image = await put(client, IMAGE.manifest, "image")
    async with open_registry(sparse="any") as client:
        mirrored = await put(client, IMAGE.manifest, "image")

    refused(refusal, 404, "MANIFEST_BLOB_UNKNOWN")
    assert admitted.status_code == 201
    assert admitted.headers["warning"] == '299 - "2 named digests are not here yet"'
    refused(image, 404, "MANIFEST_BLOB_UNKNOWN")
    assert mirrored.status_code == 201


async def test_a_content_type_may_have_parameters_or_be_missing(client: httpx2.AsyncClient) -> None:
    await push_image(client, IMAGE)

    with_parameters = await put(client, IMAGE.manifest, "a", f"{OCI_MANIFEST}; charset=utf-8; x=y")
    without = await put(client, IMAGE.manifest, "b", None)

    assert with_parameters.status_code == without.status_code == 201
    for tag in ("a", "b"):
        assert (await client.get(f"{PATH}/{tag}")).headers["content-type"] == OCI_MANIFEST


@pytest.mark.parametrize(
    "media_type", ["text/plain", OCI_INDEX, "application/json", "nonsense", OCI_CONFIG]
)
async def test_in_5_a_type_other_than_the_documents_own_is_refused(
    client: httpx2.AsyncClient, media_type: str
) -> None:
    await push_image(client, IMAGE)

    answer = await put(client, IMAGE.manifest, "other", media_type)

    refused(answer, 400, "MANIFEST_INVALID")
    assert (await client.head(f"{PATH}/other")).status_code == 404


@pytest.mark.parametrize("accept", ["text/html", OCI_INDEX, "application/json", "*/*", ""])
async def test_in_5_accept_changes_nothing(client: httpx2.AsyncClient, accept: str) -> None:
    await push_image(client, IMAGE)

    answer = await client.get(f"{PATH}/latest", headers={"Accept": accept})

    assert answer.status_code == 200
    assert answer.headers["content-type"] == OCI_MANIFEST
    assert answer.content == IMAGE.manifest


def both_kinds() -> bytes:
    document = json.loads(IMAGE.manifest)
    del document["mediaType"]
    return json.dumps({**document, "manifests": []}).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not json",
        b"[]",
        b"null",
        b'{"schemaVersion":2}',
        b'{"schemaVersion":2,"schemaVersion":2}',
        b'{"schemaVersion":NaN}',
        b"[" * 200_000,
        b'{"a":' * 5_000,
        b"\xff\xfe",
        both_kinds(),
        IMAGE.manifest.replace(b'"schemaVersion":2', b'"schemaVersion":true'),
        IMAGE.manifest.replace(b'"size":', b'"size":-'),
        IMAGE.manifest.replace(b'"size":', b'"size":1e'),
        IMAGE.manifest.replace(b"sha256:", b"sha1:"),
    ],
    ids=range(15),
)
@pytest.mark.parametrize("media_type", [OCI_MANIFEST, OCI_INDEX, None])
async def test_in_4_a_document_that_is_not_a_manifest_is_refused(
    client: httpx2.AsyncClient, content: bytes, media_type: str | None
) -> None:
    answer = await put(client, content, "bad", media_type)

    assert answer.status_code == 400
    assert envelope(answer)[0]["code"] in ("MANIFEST_INVALID", "DIGEST_INVALID")
    assert (await client.head(f"{PATH}/bad")).status_code == 404


async def test_in_6_urls_in_a_layer_are_never_followed_nor_needed(
    client: httpx2.AsyncClient,
) -> None:
    config = await push_blob(client, IMAGE.config)
    layer = Descriptor(
        OCI_LAYER_GZIP, Digest.of(b"elsewhere"), 9, urls=("http://127.0.0.1:1/layer",)
    )
    document = json.loads(IMAGE.manifest)
    document["config"]["digest"] = str(config)
    document["layers"] = [layer.to_json()]

    answer = await put(client, json.dumps(document).encode())

    assert answer.status_code in (400, 404)
    envelope(answer)


async def test_a_manifest_of_almost_four_mebibytes_is_stored(client: httpx2.AsyncClient) -> None:
    await push_image(client, IMAGE)
    document = json.loads(IMAGE.manifest)
    document["annotations"] = {"filler": "x" * (MAX_MANIFEST_BYTES - len(IMAGE.manifest) - 100)}
    content = json.dumps(document, separators=(",", ":")).encode()

    answer = await put(client, content, "large")

    assert MAX_MANIFEST_BYTES - 200 < len(content) <= MAX_MANIFEST_BYTES
    assert answer.status_code == 201
    assert (await client.get(f"{PATH}/large")).content == content


@pytest.mark.parametrize("with_length", [True, False])
async def test_in_4_a_manifest_over_the_limit_is_refused_before_it_is_read_whole(
    client: httpx2.AsyncClient, with_length: bool
) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(1000):
            read += 65536
            yield b"x" * 65536

    headers = {"Content-Length": str(65536 * 1000)} if with_length else {}
    answer = await client.put(f"{PATH}/large", content=endless(), headers=headers)

    assert (
        refused(answer, 413, "SIZE_INVALID")["message"] == "manifest is larger than 4194304 bytes"
    )
    assert read == 0 if with_length else read <= MAX_MANIFEST_BYTES + 2 * 65536


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
async def test_a_reader_that_has_the_manifest_is_told_so(
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

    refusal = await put(client, other.manifest, "latest", If_None_Match="*")
    new = await put(client, other.manifest, "new", If_None_Match="*")

    assert str(IMAGE.digest) in refused(refusal, 412, "DENIED")["message"]
    assert new.status_code == 201
    found = await client.head(f"{PATH}/latest")
    assert found.headers["docker-content-digest"] == str(IMAGE.digest)


async def test_if_match_moves_a_tag_only_from_where_it_was_seen(client: httpx2.AsyncClient) -> None:
    other = an_image(seed="other")
    await push_image(client, IMAGE)
    await push_image(client, other, "other")

    stale = await put(client, other.manifest, "latest", If_Match=f'"{other.digest}"')
    absent = await put(client, other.manifest, "absent", If_Match="*")
    fresh = await put(client, other.manifest, "latest", If_Match=f'"{IMAGE.digest}"')

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


async def test_of_those_who_create_a_tag_at_once_one_wins(client: httpx2.AsyncClient) -> None:
    images = [an_image(seed=str(n)) for n in range(5)]
    for image in images:
        await push_image(client, image, str(image.digest))

    answers = await asyncio.gather(
        *(put(client, image.manifest, "new", If_None_Match="*") for image in images)
    )

    assert sorted(answer.status_code for answer in answers) == [201, 412, 412, 412, 412]
    won = next(n for n, answer in enumerate(answers) if answer.status_code == 201)
    found = await client.head(f"{PATH}/new")
    assert found.headers["docker-content-digest"] == str(images[won].digest)
