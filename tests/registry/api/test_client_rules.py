"""Rules that real clients force on a registry, with a test for each."""

import asyncio
import json
import re
from collections.abc import AsyncIterator

import httpx2
import pytest

from oci.digest import Digest
from oci.http import parse_challenge
from oci.mediatype import DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from tests.registry.api.conftest import Opener
from tests.support.images import an_image
from tests.support.registry.wire import NAME, envelope, push_blob, push_image, refused, start

CONTENT = b"0123456789" * 50
DIGEST = Digest.of(CONTENT)
IMAGE = an_image()


async def one_stream() -> AsyncIterator[bytes]:
    yield CONTENT[:100]
    yield CONTENT[100:]


# Uploads


async def test_docker_streams_one_patch_and_reads_its_range_as_two_numbers(
    client: httpx2.AsyncClient,
) -> None:
    posted = await client.post(f"/v2/{NAME}/blobs/uploads/")
    patched = await client.patch(posted.headers["location"], content=one_stream())
    put = await client.put(patched.headers["location"], params={"digest": str(DIGEST)})

    for answer in (posted, patched):
        assert answer.status_code == 202
        found = re.fullmatch(r"([0-9]+)-([0-9]+)", answer.headers["range"])
        assert found is not None
        assert int(found[1]) <= int(found[2])
    assert patched.headers["range"] == f"0-{len(CONTENT) - 1}"
    assert put.status_code == 201


async def test_an_empty_stream_too_has_a_range_that_docker_can_read(
    client: httpx2.AsyncClient,
) -> None:
    answer = await client.patch(await start(client), content=b"")

    assert answer.headers["range"] == "0-0"


async def test_the_status_of_an_empty_session_is_not_one_byte(client: httpx2.AsyncClient) -> None:
    location = await start(client)

    answer = await client.get(location)

    # regctl would take 0-0 for one byte stored and go on at 1.
    assert answer.headers["range"] == "0--1"


async def test_containerd_asks_in_an_unknown_repository_and_hears_404(
    client: httpx2.AsyncClient,
) -> None:
    for path in ("blobs/" + str(DIGEST), "manifests/latest", f"manifests/{DIGEST}"):
        assert (await client.head(f"/v2/never/pushed/to/{path}")).status_code == 404


async def test_containerd_pushes_with_a_single_put(client: httpx2.AsyncClient) -> None:
    location = await start(client)

    answer = await client.put(f"{location}?digest={DIGEST}", content=one_stream())

    assert answer.status_code == 201
    assert answer.headers["docker-content-digest"] == str(DIGEST)


@pytest.mark.parametrize("host", ["registry.test", "evil.example:80", "10.0.0.1"])
async def test_a_location_names_no_scheme_host_or_port(
    client: httpx2.AsyncClient, host: str
) -> None:
    headers = {"Host": host, "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
    await push_image(client, IMAGE)

    answers = [
        await client.post(f"/v2/{NAME}/blobs/uploads/", headers=headers),
        await client.post(f"/v2/{NAME}/blobs/uploads/?mount={DIGEST}", headers=headers),
        await client.put(
            f"/v2/{NAME}/manifests/{IMAGE.digest}",
            content=IMAGE.manifest,
            headers=headers | {"Content-Type": OCI_MANIFEST},
        ),
    ]
    location = answers[0].headers["location"]
    answers.append(await client.patch(location, content=CONTENT, headers=headers))
    answers.append(await client.get(location, headers=headers))
    answers.append(await client.put(f"{location}?digest={DIGEST}", headers=headers))

    for answer in answers:
        assert answer.headers["location"].startswith(f"/v2/{NAME}/")
        assert "evil" not in str(answer.headers)


async def test_podman_starts_with_202_and_ends_with_201(client: httpx2.AsyncClient) -> None:
    posted = await client.post(f"/v2/{NAME}/blobs/uploads/")
    patched = await client.patch(posted.headers["location"], content=one_stream())
    put = await client.put(patched.headers["location"], params={"digest": str(DIGEST)})

    assert (posted.status_code, patched.status_code, put.status_code) == (202, 202, 201)


async def test_podman_cancels_the_session_of_a_failed_mount(client: httpx2.AsyncClient) -> None:
    answer = await client.post(f"/v2/{NAME}/blobs/uploads/?mount={DIGEST}&from=team/other")

    cancelled = await client.delete(answer.headers["location"])

    assert cancelled.status_code == 204


async def test_a_session_is_cancelled_by_any_pusher(open_registry: Opener) -> None:
    async with open_registry("push") as client:
        location = await start(client)
    async with open_registry("pull") as client:
        refused(await client.delete(location), 401, "UNAUTHORIZED")
    async with open_registry("push") as client:
        assert (await client.delete(location)).status_code == 204


async def test_crane_posts_with_a_content_type_and_an_origin(client: httpx2.AsyncClient) -> None:
    answer = await client.post(
        f"/v2/{NAME}/blobs/uploads/?mount={DIGEST}&from=team/other&origin=gcr.io",
        headers={"Content-Type": "application/json"},
    )

    assert answer.status_code == 202


async def test_crane_checks_whether_it_may_push_with_post_then_delete(
    client: httpx2.AsyncClient,
) -> None:
    for _ in range(50):
        assert (await client.delete(await start(client))).status_code == 204


async def test_regctl_begins_with_an_anonymous_mount(client: httpx2.AsyncClient) -> None:
    missing = await client.post(f"/v2/{NAME}/blobs/uploads/?mount={DIGEST}")
    await push_blob(client, CONTENT, "team/other")
    found = await client.post(f"/v2/{NAME}/blobs/uploads/?mount={DIGEST}")

    assert (missing.status_code, found.status_code) == (202, 201)


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
async def test_regctl_resumes_from_a_416_that_says_where_and_how_far(
    client: httpx2.AsyncClient, method: str
) -> None:
    location = await start(client)
    await client.patch(location, content=CONTENT[:100])

    answer = await client.request(
        method,
        f"{location}?digest={DIGEST}",
        content=CONTENT[200:],
        headers={"Content-Range": "200-499"},
    )

    assert answer.status_code == 416
    assert answer.headers["location"] == location
    assert answer.headers["range"] == "0-99"


async def test_oras_probes_the_referrers_of_nothing(client: httpx2.AsyncClient) -> None:
    answer = await client.get(f"/v2/{NAME}/referrers/sha256:{'0' * 64}")

    assert answer.status_code == 200
    assert answer.headers["content-type"] == OCI_INDEX
    assert answer.json()["manifests"] == []


@pytest.mark.parametrize("query", [f"?mount={DIGEST}", f"?mount={DIGEST}&from=team/other"])
async def test_a_mount_that_fails_is_202(client: httpx2.AsyncClient, query: str) -> None:
    assert (await client.post(f"/v2/{NAME}/blobs/uploads/{query}")).status_code == 202


async def test_two_clients_push_the_same_blob_at_once(client: httpx2.AsyncClient) -> None:
    locations = [await start(client) for _ in range(4)]

    answers = await asyncio.gather(
        *(client.put(f"{place}?digest={DIGEST}", content=one_stream()) for place in locations)
    )

    assert [answer.status_code for answer in answers] == [201] * 4


async def test_two_clients_push_the_same_tag_at_once(client: httpx2.AsyncClient) -> None:
    images = [an_image(seed=str(n)) for n in range(4)]
    for image in images:
        await push_image(client, image, str(image.digest))

    answers = await asyncio.gather(
        *(
            client.put(
                f"/v2/{NAME}/manifests/latest",
                content=image.manifest,
                headers={"Content-Type": OCI_MANIFEST},
            )
            for image in images
        )
    )

    found = await client.head(f"/v2/{NAME}/manifests/latest")
    assert [answer.status_code for answer in answers] == [201] * 4
    assert found.headers["docker-content-digest"] in {str(image.digest) for image in images}


# Access


async def test_docker_chooses_its_scheme_from_the_challenge_at_v2(open_registry: Opener) -> None:
    async with open_registry("none") as client:
        answer = await client.get("/v2/")

    refused(answer, 401, "UNAUTHORIZED")
    (challenge,) = parse_challenge(answer.headers["www-authenticate"])
    assert challenge.scheme == "Bearer"
    assert challenge.parameters["realm"] == "http://registry.test/token"
    assert answer.headers["docker-distribution-api-version"] == "registry/2.0"


async def test_too_little_access_is_401_and_never_403(open_registry: Opener) -> None:
    async with open_registry("pull") as client:
        answers = [
            await client.post(f"/v2/{NAME}/blobs/uploads/"),
            await client.put(f"/v2/{NAME}/manifests/latest", content=IMAGE.manifest),
            await client.delete(f"/v2/{NAME}/manifests/latest"),
            await client.delete(f"/v2/{NAME}/blobs/{DIGEST}"),
        ]

    for answer in answers:
        refused(answer, 401, "UNAUTHORIZED")
        assert "www-authenticate" in answer.headers


# Reads


async def test_head_has_all_that_containerd_would_otherwise_get(client: httpx2.AsyncClient) -> None:
    await push_image(client, IMAGE)

    answer = await client.head(f"/v2/{NAME}/manifests/latest")

    assert answer.headers["content-type"] == OCI_MANIFEST
    assert answer.headers["content-length"] == str(len(IMAGE.manifest))
    assert answer.headers["docker-content-digest"] == str(IMAGE.digest)


@pytest.mark.parametrize("accepted", ["zstd,gzip", "gzip", "br", "*", "identity;q=0, gzip"])
async def test_nothing_is_compressed_under_v2(client: httpx2.AsyncClient, accepted: str) -> None:
    await push_image(client, IMAGE)
    blob = IMAGE.layers[0].descriptor.digest

    for path in (f"blobs/{blob}", "manifests/latest", "tags/list", f"referrers/{IMAGE.digest}"):
        answer = await client.get(f"/v2/{NAME}/{path}", headers={"Accept-Encoding": accepted})
        assert answer.status_code == 200
        assert "content-encoding" not in answer.headers
        assert int(answer.headers["content-length"]) == len(answer.content)


@pytest.mark.parametrize("accept", [f"{OCI_INDEX}, */*", DOCKER_MANIFEST, "text/html"])
async def test_a_manifest_is_neither_transcoded_nor_refused_for_its_type(
    client: httpx2.AsyncClient, accept: str
) -> None:
    await push_image(client, IMAGE)

    answer = await client.get(f"/v2/{NAME}/manifests/latest", headers={"Accept": accept})

    assert answer.status_code == 200
    assert answer.headers["content-type"] == OCI_MANIFEST


@pytest.mark.parametrize("form", ['"{0}"', "{0}"])
async def test_the_etag_is_the_digest_and_matches_quoted_or_bare(
    client: httpx2.AsyncClient, form: str
) -> None:
    await push_image(client, IMAGE)
    blob = IMAGE.layers[0].descriptor.digest

    for path, digest in ((f"blobs/{blob}", blob), ("manifests/latest", IMAGE.digest)):
        conditions = {"If-None-Match": form.format(digest)}
        seen = await client.get(f"/v2/{NAME}/{path}", headers=conditions)
        assert seen.status_code == 304
        assert seen.headers["etag"] == f'"{digest}"'


async def test_podman_and_stargz_get_several_ranges_in_one_answer(
    client: httpx2.AsyncClient,
) -> None:
    digest = await push_blob(client, CONTENT)

    answer = await client.get(
        f"/v2/{NAME}/blobs/{digest}", headers={"Range": "bytes=0-9,100-109,200-209"}
    )

    assert answer.status_code == 206
    assert answer.headers["content-type"].startswith("multipart/byteranges; boundary=")


async def test_errors_are_oci_json_whatever_their_status(client: httpx2.AsyncClient) -> None:
    digest = await push_blob(client, CONTENT)
    answers = [
        await client.get("/nowhere"),
        await client.patch("/v2/"),
        await client.get(f"/v2/{NAME}/manifests/absent"),
        await client.put(f"/v2/{NAME}/manifests/large", content=b"x" * (5 * 1024 * 1024)),
        await client.get(f"/v2/{NAME}/blobs/{digest}", headers={"Range": "bytes=9999-"}),
        await client.get(f"/v2/{NAME}/blobs/{digest}", headers={"If-Match": "other"}),
        await client.put(f"/v2/{NAME}/manifests/x?{'tag=a&' * 200}", content=b"{}"),
    ]

    assert [answer.status_code for answer in answers] == [404, 405, 404, 413, 416, 412, 414]
    for answer in answers:
        assert envelope(answer)


async def test_a_cosign_tag_is_a_tag(client: httpx2.AsyncClient) -> None:
    tag = f"sha256-{IMAGE.digest.encoded}.sig"

    await push_image(client, IMAGE, tag)

    assert (await client.get(f"/v2/{NAME}/tags/list")).json()["tags"] == [tag]


async def test_buildkit_caches_are_indexes_whose_children_are_blobs(
    client: httpx2.AsyncClient,
) -> None:
    await push_blob(client, CONTENT)
    cache = await push_blob(client, b"{}")
    layer = "application/vnd.oci.image.layer.v1.tar+gzip"
    children = [
        {"mediaType": layer, "digest": str(DIGEST), "size": len(CONTENT)},
        {
            "mediaType": "application/vnd.buildkit.cacheconfig.v0",
            "digest": str(cache),
            "size": 2,
        },
    ]
    index = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children})

    answer = await client.put(
        f"/v2/{NAME}/manifests/cache", content=index, headers={"Content-Type": OCI_INDEX}
    )

    assert answer.status_code == 201
