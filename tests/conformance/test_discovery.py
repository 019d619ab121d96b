"""Distribution spec, discovery: end-1, end-8a, end-8b, end-12a, end-12b."""

from typing import Any

import pytest

from tests.support.registry.conformance import (
    ALGORITHMS,
    CONFIG,
    EMPTY,
    INDEX,
    MANIFEST,
    Client,
    descriptor,
    digest_of,
    document,
)

TAGS = ["A1", "B2", "_", "a1", "b2", "latest", "v1.0"]


def test_the_registry_says_that_it_is_one(client: Client) -> None:
    assert client.http.get("/v2/").status_code == 200


def tagged(client: Client) -> None:
    content = client.image()
    for tag in reversed(TAGS):
        client.pushed_manifest(tag, content)


def test_tags_are_in_order(client: Client) -> None:
    tagged(client)

    answer = client.tags()

    assert answer.status_code == 200
    assert answer.json() == {"name": client.name, "tags": TAGS}


@pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 10**30])
def test_links_lead_through_all_tags(client: Client, n: int) -> None:
    tagged(client)
    found: list[str] = []

    answer = client.tags(n=n)
    while True:
        assert 0 < len(answer.json()["tags"]) <= n
        found += answer.json()["tags"]
        if "next" not in answer.links:
            break
        assert len(answer.json()["tags"]) == n
        answer = client.http.get(answer.links["next"]["url"])

    assert found == TAGS


def test_a_page_of_nothing_has_no_next(client: Client) -> None:
    tagged(client)

    answer = client.tags(n=0)

    assert (answer.status_code, answer.json()["tags"]) == (200, [])
    assert "link" not in answer.headers


@pytest.mark.parametrize("last", [*TAGS, "a", "not-there", "zzz", "0"])
def test_last_needs_neither_n_nor_to_exist(client: Client, last: str) -> None:
    tagged(client)

    alone, two = client.tags(last=last), client.tags(last=last, n=2)

    after = [tag for tag in TAGS if tag > last]
    assert alone.json()["tags"] == after
    assert two.json()["tags"] == after[:2]


def test_tags_of_an_unknown_repository_are_404(client: Client) -> None:
    answer = client.tags()

    assert answer.status_code == 404
    assert answer.json()["errors"][0]["code"] == "NAME_UNKNOWN"


def test_referrers_of_an_absent_subject_are_none(client: Client) -> None:
    assert client.referrers("sha256:" + "0" * 64).json()["manifests"] == []
    assert client.referrers("sha512:" + "0" * 128).json()["manifests"] == []


def test_referrers_of_a_malformed_digest_are_400(client: Client) -> None:
    answer = client.http.get(client.url("referrers/sha256:baddigeststring"))

    assert answer.status_code == 400


def refer(client: Client, subject: dict[str, Any], algorithm: str) -> list[dict[str, Any]]:
    """Four manifests with that subject: what its referrers should be."""
    empty = {**client.push(b"{}"), "mediaType": EMPTY}
    config = {**empty, "mediaType": CONFIG}
    notes = {"org.example.note": 'a, "b" <c>; \u00e9'}
    kinds: list[tuple[str, str | None, dict[str, Any]]] = [
        (MANIFEST, "text/a+b", {"artifactType": "text/a+b", "config": empty, "layers": []}),
        (MANIFEST, CONFIG, {"config": config, "layers": [], "annotations": notes}),
        (INDEX, "text/index", {"artifactType": "text/index", "manifests": []}),
        (INDEX, None, {"manifests": []}),
    ]
    expected = []
    for media_type, artifact_type, fields in kinds:
        content = document(media_type, subject=subject, **fields)
        digest = digest_of(content, algorithm)
        answer = client.push_manifest(digest, content, media_type)
        client.created(answer, content, digest)
        assert answer.headers["oci-subject"] == subject["digest"]
        found = descriptor(content, media_type, algorithm)
        found |= {"artifactType": artifact_type} if artifact_type else {}
        found |= {"annotations": fields["annotations"]} if "annotations" in fields else {}
        expected.append(found)
    return sorted(expected, key=lambda one: str(one["digest"]))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("there", [True, False], ids=["subject pushed", "subject missing"])
def test_referrers_are_listed(client: Client, there: bool, algorithm: str) -> None:
    image = client.image()
    subject = descriptor(image, MANIFEST, algorithm)
    if there:
        client.pushed_manifest(subject["digest"], image)

    expected = refer(client, subject, algorithm)

    found = client.referrers(subject["digest"]).json()["manifests"]
    assert sorted(found, key=lambda one: one["digest"]) == expected
    removed = client.http.delete(client.url(f"manifests/{found[0]['digest']}"))
    assert removed.status_code == 202
    assert client.referrers(subject["digest"]).json()["manifests"] == found[1:]


@pytest.mark.parametrize("artifact_type", ["text/a+b", CONFIG, "text/index", "no/such"])
def test_referrers_are_filtered(client: Client, artifact_type: str) -> None:
    subject = descriptor(b"missing", MANIFEST)
    expected = refer(client, subject, "sha256")

    answer = client.referrers(subject["digest"], artifactType=artifact_type)

    assert answer.headers["oci-filters-applied"] == "artifactType"
    wanted = [one for one in expected if one.get("artifactType") == artifact_type]
    assert answer.json()["manifests"] == wanted


def test_referrers_come_in_pages_that_are_linked(client: Client) -> None:
    subject = descriptor(b"missing", MANIFEST)
    expected, found = refer(client, subject, "sha256"), []

    answer = client.referrers(subject["digest"], n="1")
    while True:
        found += answer.json()["manifests"]
        if "next" not in answer.links:
            break
        answer = client.http.get(answer.links["next"]["url"])

    assert found == expected
