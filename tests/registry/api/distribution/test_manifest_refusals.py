"""Refusals of manifests, over HTTP."""

import json
from collections.abc import AsyncIterator

import httpx2
import pytest

from oci.descriptor import Descriptor
from oci.digest import Digest
from oci.manifest import MAX_MANIFEST_BYTES
from oci.mediatype import OCI_CONFIG, OCI_INDEX, OCI_LAYER_GZIP, OCI_MANIFEST
from tests.support.images import an_image
from tests.support.registry.wire import (
    NAME,
    envelope,
    push_blob,
    push_image,
    put_manifest,
    refused,
)

IMAGE = an_image(layers=2)
PATH = f"/v2/{NAME}/manifests"


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
    answer = await put_manifest(client, IMAGE.manifest)

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

    answer = await put_manifest(client, IMAGE.manifest)

    refused(answer, 404, "MANIFEST_BLOB_UNKNOWN")
    for digest in IMAGE.blobs:
        assert (await client.head(f"/v2/{NAME}/blobs/{digest}")).status_code == 404


async def test_a_digest_other_than_the_contents_is_refused(client: httpx2.AsyncClient) -> None:
    await push_image(client, IMAGE)

    answer = await put_manifest(client, IMAGE.manifest + b" ", str(IMAGE.digest))

    refused(answer, 400, "DIGEST_INVALID")


async def test_one_bad_tag_refuses_the_push(client: httpx2.AsyncClient) -> None:
    await push_image(client, IMAGE)

    answer = await put_manifest(client, IMAGE.manifest, f"{IMAGE.digest}?tag=good&tag=b%20ad")

    refused(answer, 400, "MANIFEST_INVALID")
    assert (await client.head(f"{PATH}/good")).status_code == 404


async def test_too_many_tags_are_refused(client: httpx2.AsyncClient) -> None:
    await push_image(client, IMAGE)
    query = "&".join(f"tag=v{n}" for n in range(101))

    answer = await put_manifest(client, IMAGE.manifest, f"{IMAGE.digest}?{query}")

    refused(answer, 414, "UNSUPPORTED")


@pytest.mark.parametrize(
    "media_type", ["text/plain", OCI_INDEX, "application/json", "nonsense", OCI_CONFIG]
)
async def test_in_5_a_type_other_than_the_documents_own_is_refused(
    client: httpx2.AsyncClient, media_type: str
) -> None:
    await push_image(client, IMAGE)

    answer = await put_manifest(client, IMAGE.manifest, "other", media_type)

    refused(answer, 400, "MANIFEST_INVALID")
    assert (await client.head(f"{PATH}/other")).status_code == 404


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
    answer = await put_manifest(client, content, "bad", media_type)

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

    answer = await put_manifest(client, json.dumps(document).encode())

    assert answer.status_code in (400, 404)
    envelope(answer)


@pytest.mark.parametrize("with_length", [True, False])
async def test_in_4_a_manifest_over_the_limit_is_refused_before_it_is_read_completely(
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
