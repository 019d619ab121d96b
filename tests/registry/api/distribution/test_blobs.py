"""Pull, check, delete a blob, on the wire."""

import httpx2
import pytest

from oci.digest import Digest
from tests.support.images import an_image
from tests.support.registry.wire import NAME, open_files, push_blob, push_image, refused

CONTENT = bytes(range(256)) * 8
ABSENT = Digest.of(b"never pushed")


def parts_of(answer: httpx2.Response) -> list[tuple[str, bytes]]:
    """The parts of a multipart/byteranges answer: Content-Range and bytes."""
    kind, _, boundary = answer.headers["content-type"].partition("; boundary=")
    assert kind == "multipart/byteranges"
    pieces = answer.content.split(f"\r\n--{boundary}".encode())
    assert pieces[0] == b""
    assert pieces[-1] == b"--\r\n"
    found = []
    for piece in pieces[1:-1]:
        head, _, body = piece.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().strip().split("\r\n"))
        found.append((headers["Content-Range"], body))
    return found


async def test_a_blob_comes_back_byte_for_byte(client: httpx2.AsyncClient) -> None:
    digest = await push_blob(client, CONTENT)

    answer = await client.get(f"/v2/{NAME}/blobs/{digest}")

    assert answer.status_code == 200
    assert answer.content == CONTENT
    assert answer.headers["docker-content-digest"] == str(digest)
    assert answer.headers["content-length"] == str(len(CONTENT))
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["etag"] == f'"{digest}"'
    assert answer.headers["accept-ranges"] == "bytes"


async def test_head_tells_size_and_digest_without_the_bytes(client: httpx2.AsyncClient) -> None:
    digest = await push_blob(client, CONTENT)

    answer = await client.head(f"/v2/{NAME}/blobs/{digest}")

    assert answer.status_code == 200
    assert answer.content == b""
    assert answer.headers["content-length"] == str(len(CONTENT))
    assert answer.headers["docker-content-digest"] == str(digest)


async def test_an_empty_blob_is_a_blob(client: httpx2.AsyncClient) -> None:
    digest = await push_blob(client, b"")

    answer = await client.get(f"/v2/{NAME}/blobs/{digest}")

    assert answer.status_code == 200
    assert answer.headers["content-length"] == "0"
    assert answer.content == b""


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
@pytest.mark.parametrize("name", [NAME, "no/such/repository"])
async def test_an_unknown_blob_is_refused(
    client: httpx2.AsyncClient, method: str, name: str
) -> None:
    await push_blob(client, CONTENT)

    answer = await client.request(method, f"/v2/{name}/blobs/{ABSENT}")

    assert answer.status_code == 404
    if method != "HEAD":
        assert str(ABSENT) in refused(answer, 404, "BLOB_UNKNOWN")["message"]


async def test_az_4_a_blob_of_another_repository_does_not_exist_here(
    client: httpx2.AsyncClient,
) -> None:
    digest = await push_blob(client, CONTENT, "team/other")
    await push_blob(client, b"something", NAME)

    found = await client.get(f"/v2/{NAME}/blobs/{digest}")
    absent = await client.get(f"/v2/{NAME}/blobs/{ABSENT}")

    refused(found, 404, "BLOB_UNKNOWN")
    assert found.text.replace(str(digest), "") == absent.text.replace(str(ABSENT), "")


@pytest.mark.parametrize(
    ("wanted", "expected", "content_range"),
    [
        ("bytes=500-1499", CONTENT[500:1500], "bytes 500-1499/2048"),
        ("bytes=500-", CONTENT[500:], "bytes 500-2047/2048"),
        ("bytes=-500", CONTENT[-500:], "bytes 1548-2047/2048"),
        ("bytes=2000-99999", CONTENT[2000:], "bytes 2000-2047/2048"),
        ("bytes=0-0", CONTENT[:1], "bytes 0-0/2048"),
        ("bytes=-99999", CONTENT, "bytes 0-2047/2048"),
    ],
)
async def test_a_range_is_answered_with_its_bytes(
    client: httpx2.AsyncClient, wanted: str, expected: bytes, content_range: str
) -> None:
    digest = await push_blob(client, CONTENT)

    answer = await client.get(f"/v2/{NAME}/blobs/{digest}", headers={"Range": wanted})

    assert answer.status_code == 206
    assert answer.headers["content-range"] == content_range
    assert answer.headers["content-length"] == str(len(expected))
    assert answer.content == expected


@pytest.mark.parametrize("wanted", ["bytes=2048-", "bytes=500-0", "bytes=9999-10000", "bytes=-0"])
async def test_a_range_outside_the_blob_is_refused(client: httpx2.AsyncClient, wanted: str) -> None:
    digest = await push_blob(client, CONTENT)

    answer = await client.get(f"/v2/{NAME}/blobs/{digest}", headers={"Range": wanted})

    refused(answer, 416, "SIZE_INVALID")
    assert answer.headers["content-range"] == "bytes */2048"


@pytest.mark.parametrize("wanted", ["bytes=0-", "bytes=0-99", "bytes=-5", "bytes=7-"])
async def test_a_range_of_an_empty_blob_is_ignored(client: httpx2.AsyncClient, wanted: str) -> None:
    digest = await push_blob(client, b"")

    answer = await client.get(f"/v2/{NAME}/blobs/{digest}", headers={"Range": wanted})

    assert answer.status_code == 200
    assert answer.content == b""


@pytest.mark.parametrize("wanted", ["lines=0-5", "bytes=a-b", "bytes", "bytes=-", "bytes=1-2;3"])
async def test_a_range_that_cannot_be_read_is_ignored(
    client: httpx2.AsyncClient, wanted: str
) -> None:
    digest = await push_blob(client, CONTENT)

    answer = await client.get(f"/v2/{NAME}/blobs/{digest}", headers={"Range": wanted})

    assert answer.status_code == 200
    assert answer.content == CONTENT


async def test_several_ranges_come_in_parts_in_the_order_they_were_asked(
    client: httpx2.AsyncClient,
) -> None:
    digest = await push_blob(client, CONTENT)

    answer = await client.get(
        f"/v2/{NAME}/blobs/{digest}", headers={"Range": "bytes=1000-1009, 0-4, -3"}
    )

    assert answer.status_code == 206
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert parts_of(answer) == [
        ("bytes 1000-1009/2048", CONTENT[1000:1010]),
        ("bytes 0-4/2048", CONTENT[:5]),
        ("bytes 2045-2047/2048", CONTENT[-3:]),
    ]


async def test_ht_4_ten_thousand_ranges_cost_nothing(client: httpx2.AsyncClient) -> None:
    digest = await push_blob(client, CONTENT)
    wanted = "bytes=" + ",".join(f"{n}-{n}" for n in range(10_000))

    answer = await client.get(f"/v2/{NAME}/blobs/{digest}", headers={"Range": wanted})

    assert answer.status_code in (200, 416)


async def test_more_than_sixteen_parts_get_the_whole_blob(client: httpx2.AsyncClient) -> None:
    digest = await push_blob(client, CONTENT)
    sixteen = ",".join(f"{100 * n}-{100 * n}" for n in range(16))

    at_most = await client.get(f"/v2/{NAME}/blobs/{digest}", headers={"Range": f"bytes={sixteen}"})
    too_many = await client.get(
        f"/v2/{NAME}/blobs/{digest}", headers={"Range": f"bytes={sixteen},2000-2000"}
    )

    assert len(parts_of(at_most)) == 16
    assert too_many.status_code == 200
    assert too_many.content == CONTENT


@pytest.mark.parametrize("form", ['"{0}"', "{0}", 'W/"{0}"', '"other", "{0}"', "*"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_reader_that_has_the_blob_gets_a_304(
    client: httpx2.AsyncClient, form: str, method: str
) -> None:
    digest = await push_blob(client, CONTENT)

    answer = await client.request(
        method, f"/v2/{NAME}/blobs/{digest}", headers={"If-None-Match": form.format(digest)}
    )

    assert answer.status_code == 304
    assert answer.content == b""
    assert answer.headers["etag"] == f'"{digest}"'


async def test_a_reader_that_has_another_blob_gets_this_one(client: httpx2.AsyncClient) -> None:
    digest = await push_blob(client, CONTENT)

    answer = await client.get(
        f"/v2/{NAME}/blobs/{digest}", headers={"If-None-Match": f'"{ABSENT}"'}
    )

    assert answer.status_code == 200


async def test_if_match_refuses_another_blob(client: httpx2.AsyncClient) -> None:
    digest = await push_blob(client, CONTENT)
    path = f"/v2/{NAME}/blobs/{digest}"

    same = await client.get(path, headers={"If-Match": f'"{digest}"'})
    other = await client.get(path, headers={"If-Match": f'"{ABSENT}"'})

    assert same.status_code == 200
    refused(other, 412, "DENIED")


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ('"{0}"', 206),
        ('W/"{0}"', 200),
        ('"something else"', 200),
        ("Wed, 21 Oct 2026 07:28:00 GMT", 200),
    ],
)
async def test_if_range_selects_the_range_or_the_whole_content(
    client: httpx2.AsyncClient, condition: str, status: int
) -> None:
    digest = await push_blob(client, CONTENT)

    answer = await client.get(
        f"/v2/{NAME}/blobs/{digest}",
        headers={"Range": "bytes=0-9", "If-Range": condition.format(digest)},
    )

    assert answer.status_code == status


async def test_a_refused_range_keeps_no_file_open(client: httpx2.AsyncClient) -> None:
    digest = await push_blob(client, CONTENT)
    path = f"/v2/{NAME}/blobs/{digest}"
    before = open_files()

    for _ in range(20):
        await client.get(path, headers={"Range": "bytes=9999-"})
        await client.get(path, headers={"If-Match": "no"})
        await client.get(path, headers={"If-None-Match": "*"})
        await client.get(path)

    assert open_files() == before


async def test_a_deleted_blob_is_gone_at_once(client: httpx2.AsyncClient) -> None:
    digest = await push_blob(client, CONTENT)
    await push_blob(client, CONTENT, "team/other")

    answer = await client.delete(f"/v2/{NAME}/blobs/{digest}")

    assert answer.status_code == 202
    assert (await client.head(f"/v2/{NAME}/blobs/{digest}")).status_code == 404
    assert (await client.head(f"/v2/team/other/blobs/{digest}")).status_code == 200


async def test_a_blob_that_a_manifest_names_is_not_deleted(client: httpx2.AsyncClient) -> None:
    image = an_image()
    await push_image(client, image)
    digest = image.layers[0].descriptor.digest

    answer = await client.delete(f"/v2/{NAME}/blobs/{digest}")

    assert str(image.digest) in refused(answer, 405, "DENIED")["message"]
    assert (await client.head(f"/v2/{NAME}/blobs/{digest}")).status_code == 200


async def test_a_sha512_blob_is_known_by_its_own_digest(client: httpx2.AsyncClient) -> None:
    digest = Digest.of(CONTENT, "sha512")
    pushed = await client.post(
        f"/v2/{NAME}/blobs/uploads/", params={"digest": str(digest)}, content=CONTENT
    )

    answer = await client.get(pushed.headers["location"])

    assert answer.content == CONTENT
    assert answer.headers["docker-content-digest"] == str(digest)
    by_sha256 = await client.get(f"/v2/{NAME}/blobs/{Digest.of(CONTENT)}")
    assert by_sha256.status_code == 404
