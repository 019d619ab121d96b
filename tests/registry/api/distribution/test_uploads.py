"""Start, append to, complete, cancel an upload; mount: on the wire."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from oci.digest import Digest
from tests.support.registry.wire import NAME, push_blob, refused, start

CONTENT = b"the quick brown fox jumps over the lazy dog" * 100
DIGEST = Digest.of(CONTENT)
HALF = len(CONTENT) // 2


async def streamed(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def put(
    client: httpx2.AsyncClient, location: str, digest: Digest = DIGEST, content: bytes = b""
) -> httpx2.Response:
    return await client.put(location, params={"digest": str(digest)}, content=content)


async def is_here(client: httpx2.AsyncClient, digest: Digest = DIGEST, name: str = NAME) -> bool:
    return (await client.head(f"/v2/{name}/blobs/{digest}")).status_code == 200


async def test_a_session_is_accepted_with_a_place_to_send_to(client: httpx2.AsyncClient) -> None:
    answer = await client.post(f"/v2/{NAME}/blobs/uploads/")

    assert answer.status_code == 202
    session = answer.headers["docker-upload-uuid"]
    assert answer.headers["location"] == f"/v2/{NAME}/blobs/uploads/{session}"
    assert answer.headers["range"] == "0-0"


async def test_post_then_put_pushes_a_blob(client: httpx2.AsyncClient) -> None:
    location = await start(client)

    answer = await put(client, location, content=CONTENT)

    assert answer.status_code == 201
    assert answer.headers["docker-content-digest"] == str(DIGEST)
    assert (await client.get(answer.headers["location"])).content == CONTENT


async def test_a_single_post_pushes_a_blob(client: httpx2.AsyncClient) -> None:
    answer = await client.post(
        f"/v2/{NAME}/blobs/uploads/", params={"digest": str(DIGEST)}, content=CONTENT
    )

    assert answer.status_code == 201
    assert (await client.get(answer.headers["location"])).content == CONTENT


async def test_chunks_in_order_make_a_blob(client: httpx2.AsyncClient) -> None:
    location = await start(client)

    first = await client.patch(
        location, content=CONTENT[:HALF], headers={"Content-Range": f"0-{HALF - 1}"}
    )
    second = await client.patch(
        first.headers["location"],
        content=CONTENT[HALF:],
        headers={"Content-Range": f"{HALF}-{len(CONTENT) - 1}"},
    )
    done = await put(client, second.headers["location"])

    assert (first.status_code, first.headers["range"]) == (202, f"0-{HALF - 1}")
    assert (second.status_code, second.headers["range"]) == (202, f"0-{len(CONTENT) - 1}")
    assert done.status_code == 201
    assert await is_here(client)


async def test_the_last_chunk_may_come_with_the_put(client: httpx2.AsyncClient) -> None:
    location = await start(client)
    await client.patch(location, content=CONTENT[:HALF])

    done = await client.put(
        location,
        params={"digest": str(DIGEST)},
        content=CONTENT[HALF:],
        headers={"Content-Range": f"{HALF}-{len(CONTENT) - 1}"},
    )

    assert done.status_code == 201
    assert await is_here(client)


async def test_a_stream_without_length_or_range_is_appended(client: httpx2.AsyncClient) -> None:
    location = await start(client)

    answer = await client.patch(location, content=streamed(CONTENT[:10], CONTENT[10:]))

    assert answer.status_code == 202
    assert answer.headers["range"] == f"0-{len(CONTENT) - 1}"
    assert (await put(client, location)).status_code == 201


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
@pytest.mark.parametrize("sent", [0, HALF])
async def test_a_chunk_out_of_order_is_refused_and_the_session_survives(
    client: httpx2.AsyncClient, method: str, sent: int
) -> None:
    location = await start(client)
    if sent:
        await client.patch(location, content=CONTENT[:sent])
    gap = sent + 5

    answer = await client.request(
        method,
        location,
        params={"digest": str(DIGEST)} if method == "PUT" else None,
        content=CONTENT[gap:],
        headers={"Content-Range": f"{gap}-{len(CONTENT) - 1}"},
    )

    refused(answer, 416, "BLOB_UPLOAD_INVALID")
    assert answer.headers["location"] == location
    assert answer.headers["range"] == (f"0-{sent - 1}" if sent else "0-0")
    status = await client.get(location)
    assert status.headers["range"] == (f"0-{sent - 1}" if sent else "0--1")
    await client.patch(location, content=CONTENT[sent:])
    assert (await put(client, location)).status_code == 201


async def test_a_chunk_that_goes_back_to_the_beginning_is_refused(
    client: httpx2.AsyncClient,
) -> None:
    location = await start(client)
    await client.patch(location, content=CONTENT[:HALF])

    answer = await client.patch(location, content=b"again", headers={"Content-Range": "0-4"})

    refused(answer, 416, "BLOB_UPLOAD_INVALID")
    assert (await client.get(location)).headers["range"] == f"0-{HALF - 1}"


async def test_status_tells_where_to_go_on(client: httpx2.AsyncClient) -> None:
    location = await start(client)
    await client.patch(location, content=CONTENT[:HALF])

    answer = await client.get(location)

    assert answer.status_code == 204
    assert answer.headers["location"] == location
    assert answer.headers["range"] == f"0-{HALF - 1}"
    assert answer.headers["docker-upload-uuid"] == location.rpartition("/")[2]


async def test_a_cancelled_session_is_gone(client: httpx2.AsyncClient) -> None:
    location = await start(client)

    answer = await client.delete(location)

    assert answer.status_code == 204
    refused(await client.get(location), 404, "BLOB_UPLOAD_UNKNOWN")
    refused(await client.delete(location), 404, "BLOB_UPLOAD_UNKNOWN")


async def test_content_with_another_digest_is_refused_and_not_published(
    client: httpx2.AsyncClient,
) -> None:
    location = await start(client)

    answer = await put(client, location, content=b"something else")

    message = refused(answer, 400, "DIGEST_INVALID")["message"]
    assert str(DIGEST) in message
    assert str(Digest.of(b"something else")) in message
    assert not await is_here(client)
    assert not await is_here(client, Digest.of(b"something else"))


async def test_a_put_without_a_digest_is_refused(client: httpx2.AsyncClient) -> None:
    location = await start(client)

    answer = await client.put(location, content=CONTENT)

    refused(answer, 400, "DIGEST_INVALID")


@pytest.mark.parametrize(
    "digest",
    [
        *("sha256:baddigeststring", "md5:d41d8cd98f00b204e9800998ecf8427e", "x", "sha256:"),
        *(f"SHA256:{'0' * 64}", f"sha256:{'A' * 64}", f"sha256:{'0' * 63}"),
        "sha256:../../../../etc/passwd",
    ],
)
@pytest.mark.parametrize("parameter", ["digest", "mount"])
async def test_in_3_a_digest_we_cannot_verify_is_refused(
    client: httpx2.AsyncClient, digest: str, parameter: str
) -> None:
    location = await start(client)

    posted = await client.post(f"/v2/{NAME}/blobs/uploads/", params={parameter: digest})
    put = await client.put(location, params={"digest": digest})
    got = await client.get(f"/v2/{NAME}/blobs/{digest.replace('/', '.')}")

    refused(posted, 400, "DIGEST_INVALID")
    refused(put, 400, "DIGEST_INVALID")
    refused(got, 400, "DIGEST_INVALID")


@pytest.mark.parametrize(
    "text", ["5", "0-", "bytes 0-4/5", "bytes=0-4", "4-0", "-5", "\u0660-\u0664", "0-4 "]
)
async def test_a_content_range_that_cannot_be_read_is_refused(
    client: httpx2.AsyncClient, text: str
) -> None:
    location = await start(client)

    answer = await client.patch(
        location, content=b"12345", headers={b"Content-Range": text.encode()}
    )

    refused(answer, 400, "BLOB_UPLOAD_INVALID")
    assert (await client.get(location)).headers["range"] == "0--1"


async def test_a_range_and_a_length_that_differ_are_refused(client: httpx2.AsyncClient) -> None:
    location = await start(client)

    answer = await client.patch(location, content=b"12345", headers={"Content-Range": "0-9"})

    assert "5 bytes, expected 10" in refused(answer, 400, "SIZE_INVALID")["message"]
    assert (await client.get(location)).headers["range"] == "0--1"


async def test_a_stream_shorter_than_its_range_is_refused_and_kept(
    client: httpx2.AsyncClient,
) -> None:
    location = await start(client)

    answer = await client.patch(
        location, content=streamed(b"12345"), headers={"Content-Range": "0-9"}
    )

    refused(answer, 400, "SIZE_INVALID")
    assert (await client.get(location)).status_code == 204


@pytest.mark.parametrize(
    "session", ["not-a-uuid", "00000000-0000-4000-8000-000000000000", "..", "%2e%2e", "a" * 300]
)
@pytest.mark.parametrize("method", ["GET", "PATCH", "PUT", "DELETE"])
async def test_an_unknown_session_is_refused(
    client: httpx2.AsyncClient, session: str, method: str
) -> None:
    await push_blob(client, CONTENT)
    if session == "..":
        session = "%2E."

    answer = await client.request(
        method,
        f"/v2/{NAME}/blobs/uploads/{session}",
        params={"digest": str(DIGEST)} if method == "PUT" else None,
    )

    refused(answer, 404, "BLOB_UPLOAD_UNKNOWN")


@pytest.mark.parametrize("method", ["GET", "PATCH", "PUT", "DELETE"])
async def test_az_7_a_session_of_another_repository_does_not_exist_here(
    client: httpx2.AsyncClient, method: str
) -> None:
    location = await start(client, "team/victim")
    await client.patch(location, content=CONTENT[:HALF])
    elsewhere = location.replace("team/victim", "team/attacker")

    answer = await client.request(
        method,
        elsewhere,
        params={"digest": str(DIGEST)} if method == "PUT" else None,
        content=b"evil" if method in ("PATCH", "PUT") else None,
    )

    refused(answer, 404, "BLOB_UPLOAD_UNKNOWN")
    await client.patch(location, content=CONTENT[HALF:])
    assert (await put(client, location)).status_code == 201


async def test_the_same_commit_twice_is_refused_but_the_blob_stays(
    client: httpx2.AsyncClient,
) -> None:
    location = await start(client)
    first = await put(client, location, content=CONTENT)

    second = await put(client, location, content=CONTENT)

    assert first.status_code == 201
    assert second.status_code in (201, 404)
    assert await is_here(client)


async def test_the_same_blob_may_be_pushed_again(client: httpx2.AsyncClient) -> None:
    await push_blob(client, CONTENT)

    again = await put(client, await start(client), content=CONTENT)

    assert again.status_code == 201


async def test_digest_algorithm_names_the_blob_to_come(client: httpx2.AsyncClient) -> None:
    digest = Digest.of(CONTENT, "sha512")
    location = await start(client, query="?digest-algorithm=sha512")

    await client.patch(location, content=CONTENT)
    answer = await put(client, location, digest)

    assert answer.status_code == 201
    assert answer.headers["location"] == f"/v2/{NAME}/blobs/{digest}"
    assert await is_here(client, digest)


async def test_sha512_without_digest_algorithm_is_known_only_at_the_end(
    client: httpx2.AsyncClient,
) -> None:
    digest = Digest.of(CONTENT, "sha512")
    location = await start(client)
    await client.patch(location, content=CONTENT)

    answer = await put(client, location, digest)

    assert answer.status_code == 201
    assert (await client.get(answer.headers["location"])).content == CONTENT


async def test_an_algorithm_we_do_not_know_is_refused(client: httpx2.AsyncClient) -> None:
    answer = await client.post(f"/v2/{NAME}/blobs/uploads/?digest-algorithm=md5")

    assert "sha256, sha512" in refused(answer, 400, "DIGEST_INVALID")["message"]


async def test_a_blob_is_mounted_from_another_repository(client: httpx2.AsyncClient) -> None:
    await push_blob(client, CONTENT, "team/other")

    answer = await client.post(
        f"/v2/{NAME}/blobs/uploads/", params={"mount": str(DIGEST), "from": "team/other"}
    )

    assert answer.status_code == 201
    assert answer.headers["location"] == f"/v2/{NAME}/blobs/{DIGEST}"
    assert answer.headers["docker-content-digest"] == str(DIGEST)
    assert (await client.get(answer.headers["location"])).content == CONTENT


async def test_a_blob_is_mounted_without_saying_from_where(client: httpx2.AsyncClient) -> None:
    await push_blob(client, CONTENT, "team/other")

    answer = await client.post(f"/v2/{NAME}/blobs/uploads/", params={"mount": str(DIGEST)})

    assert answer.status_code == 201
    assert await is_here(client)


@pytest.mark.parametrize("source", [None, "team/other", "no/such", "NOT A NAME", "a" * 300])
async def test_az_5_a_mount_that_fails_is_an_upload_to_begin(
    client: httpx2.AsyncClient, source: str | None
) -> None:
    await push_blob(client, b"another", "team/other")
    query = {"mount": str(DIGEST)} | ({"from": source} if source else {})

    answer = await client.post(f"/v2/{NAME}/blobs/uploads/", params=query)

    assert answer.status_code == 202
    done = await put(client, answer.headers["location"], content=CONTENT)
    assert done.status_code == 201


@pytest.mark.parametrize("source", ["team/empty", "no/such", "NOT A NAME"])
async def test_az_5_a_mount_from_where_the_blob_is_not_finds_it_nowhere_else(
    client: httpx2.AsyncClient, source: str
) -> None:
    await push_blob(client, CONTENT, "team/other")
    await push_blob(client, b"another", "team/empty")

    answer = await client.post(
        f"/v2/{NAME}/blobs/uploads/", params={"mount": str(DIGEST), "from": source}
    )

    assert answer.status_code == 202
    assert not await is_here(client)


async def test_a_parameter_given_twice_is_refused(client: httpx2.AsyncClient) -> None:
    answer = await client.post(f"/v2/{NAME}/blobs/uploads/?digest={DIGEST}&digest={DIGEST}")

    refused(answer, 400, "UNSUPPORTED")
