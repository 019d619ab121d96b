"""Distribution spec, manifests: end-3, end-7a, end-7b, end-9."""

import base64
from typing import Any

import pytest

from tests.support.registry.conformance import (
    ALGORITHMS,
    CONFIG,
    EMPTY,
    INDEX,
    LAYER,
    MANIFEST,
    Client,
    descriptor,
    digest_of,
    document,
    has_envelope,
)

FOREIGN = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
ABSENT = descriptor(b"never pushed", LAYER)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("layers", [0, 1, 5])
@pytest.mark.parametrize("by", ["tag", "digest"])
def test_an_image_is_pushed(client: Client, by: str, layers: int, algorithm: str) -> None:
    content = client.image(layers, algorithm)

    client.pushed_manifest("v1" if by == "tag" else digest_of(content, algorithm), content)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_an_index_is_pushed(client: Client, algorithm: str) -> None:
    images = [client.image(platform=name) for name in ("amd64", "arm64")]
    for image in images:
        client.pushed_manifest(digest_of(image, algorithm), image)
    content = document(INDEX, manifests=[descriptor(one, MANIFEST, algorithm) for one in images])

    digest = client.pushed_manifest(digest_of(content, algorithm), content, INDEX)
    nested = document(INDEX, manifests=[{**descriptor(content, INDEX), "digest": digest}])
    client.pushed_manifest("nested", nested, INDEX)


def test_an_empty_index_is_pushed(client: Client) -> None:
    client.pushed_manifest("empty", document(INDEX, manifests=[]), INDEX)


def test_an_index_may_name_a_blob(client: Client) -> None:
    cache = {**client.push(b"a BuildKit cache"), "mediaType": LAYER}

    client.pushed_manifest("cache", document(INDEX, manifests=[cache]), INDEX)


def test_unknown_fields_are_kept_byte_for_byte(client: Client) -> None:
    unknown: dict[str, Any] = {"org.example": [1.5e300, None, True, {"\u00e9": "\u2028"}]}
    content = client.image(**unknown)

    client.pushed_manifest("unknown", content)


def test_an_artifact_is_pushed(client: Client) -> None:
    client.push(b"{}")
    empty = descriptor(b"{}", EMPTY)
    content = document(
        MANIFEST, artifactType="application/vnd.example", config=empty, layers=[empty]
    )

    client.pushed_manifest("artifact", content)


def test_descriptors_may_hold_their_content(client: Client) -> None:
    client.push(b"{}")
    config = {**descriptor(b"{}", CONFIG), "data": base64.b64encode(b"{}").decode()}

    client.pushed_manifest("data", document(MANIFEST, config=config, layers=[config]))


def test_foreign_layers_need_not_be_there(client: Client) -> None:
    config = {**client.push(b"{}"), "mediaType": CONFIG}
    foreign = {**descriptor(b"elsewhere", FOREIGN), "urls": ["https://layers.example/1"]}

    client.pushed_manifest("foreign", document(MANIFEST, config=config, layers=[foreign]))


def test_a_manifest_of_nearly_four_megabytes_is_pushed(client: Client) -> None:
    content = client.image(annotations={"org.example.large": "x" * 3_900_000})

    client.pushed_manifest("large", content)


def test_a_larger_manifest_is_413(client: Client) -> None:
    answer = client.push_manifest("huge", b" " * (4 * 1024 * 1024 + 1))

    assert answer.status_code == 413
    assert has_envelope(answer)


def test_parameters_of_the_content_type_are_ignored(client: Client) -> None:
    content = client.image()

    answer = client.push_manifest("typed", content, f"{MANIFEST}; charset=utf-8")

    client.created(answer, content, digest_of(content))
    client.holds("manifests/typed", content, MANIFEST, digest_of(content))


@pytest.mark.parametrize("digest", ["sha256:baddigeststring", "sha256:" + "0" * 64])
def test_a_wrong_digest_is_400(client: Client, digest: str) -> None:
    answer = client.push_manifest(digest, client.image())

    assert answer.status_code == 400
    assert has_envelope(answer)
    assert client.http.get(client.url(f"manifests/{digest}")).status_code in (400, 404)


@pytest.mark.parametrize("tag", ["-x", ".x", "a" * 129, "a%20b", "caf\u00e9", "a%0a"])
def test_a_wrong_tag_is_refused(client: Client, tag: str) -> None:
    assert client.push_manifest(tag, client.image()).status_code == 400


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_tags_come_with_a_digest(client: Client, algorithm: str) -> None:
    content = client.image()
    digest = digest_of(content, algorithm)
    tags = [f"1.{number}" for number in range(10)]
    query = "&".join(f"tag={tag}" for tag in tags)

    answer = client.push_manifest(f"{digest}?{query}", content)

    client.created(answer, content, digest)
    told = [tag.strip() for tag in ",".join(answer.headers.get_list("oci-tag")).split(",")]
    assert sorted(told) == tags
    for tag in tags:
        # By tag too it has the digest it was pushed with.
        client.holds(f"manifests/{tag}", content, MANIFEST, digest)


def test_a_missing_blob_is_named(client: Client) -> None:
    config = {**client.push(b"{}"), "mediaType": CONFIG}

    answer = client.push_manifest("sparse", document(MANIFEST, config=config, layers=[ABSENT]))

    assert answer.status_code in (400, 404)
    (error,) = answer.json()["errors"]
    assert error["code"] == "MANIFEST_BLOB_UNKNOWN"
    assert ABSENT["digest"] in error["message"]
    client.gone("manifests/sparse")


def test_a_blob_of_another_repository_is_missing_too(client: Client) -> None:
    other = Client(client.http, client.name + "/other")
    secret = {**other.push(client.name.encode()), "mediaType": LAYER}
    config = {**client.push(b"{}"), "mediaType": CONFIG}

    answer = client.push_manifest("steal", document(MANIFEST, config=config, layers=[secret]))

    assert answer.status_code in (400, 404)
    client.gone(f"blobs/{secret['digest']}")


def test_a_sparse_registry_accepts_absent_digests(sparse: Client) -> None:
    image = document(MANIFEST, config=ABSENT, layers=[ABSENT])
    index = document(INDEX, manifests=[descriptor(b"no such image", MANIFEST)])

    sparse.pushed_manifest("image", image)
    sparse.pushed_manifest("index", index, INDEX)

    sparse.gone(f"blobs/{ABSENT['digest']}")
    sparse.push(b"never pushed")
    assert sparse.http.delete(sparse.url("manifests/image")).status_code == 202


@pytest.mark.parametrize("by", ["tag", "digest"])
def test_a_deleted_blob_is_absent_at_once(client: Client, by: str) -> None:
    content = client.image()
    digest = client.pushed_manifest("v1", content)
    client.pushed_manifest("v2", content)

    answer = client.http.delete(client.url(f"manifests/{'v1' if by == 'tag' else digest}"))

    assert answer.status_code == 202
    client.gone("manifests/v1")
    if by == "tag":
        client.holds("manifests/v2", content, MANIFEST, digest)
    else:
        client.gone("manifests/v2")
        client.gone(f"manifests/{digest}")
        assert client.tags().json()["tags"] == []


@pytest.mark.parametrize("reference", ["v1", "sha256:" + "0" * 64])
def test_of_an_unknown_repository_there_is_nothing(client: Client, reference: str) -> None:
    client.gone(f"manifests/{reference}")
    assert client.http.delete(client.url(f"manifests/{reference}")).status_code == 404
    assert client.http.get(client.url(f"manifests/{reference}")).json()["errors"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"not json",
        b'{"schemaVersion":1}',
        b"[" * 100_000,
        document(INDEX, manifests=[]),
        document(MANIFEST, manifests=[], config=ABSENT, layers=[]),
        document(MANIFEST, config=ABSENT, layers=[]).replace(b"12", b"NaN"),
        b'{"a":"\\ud800",' + document(MANIFEST, config=ABSENT, layers=[])[1:],
    ],
)
def test_a_document_that_is_no_image_is_400(client: Client, content: bytes) -> None:
    answer = client.push_manifest("bad", content)

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == "MANIFEST_INVALID"
    client.gone("manifests/bad")
