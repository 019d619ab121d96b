"""Distribution spec, blobs: end-2, end-4a to end-6, end-10, end-11, end-13, end-14."""

import re
import uuid
from collections.abc import Callable

import httpx2
import pytest

from tests.support.registry.conformance import ALGORITHMS, OCTETS, Client, digest_of, has_envelope

CONTENT = bytes(range(256)) * 8
THIRDS = [CONTENT[:700], CONTENT[700:1400], CONTENT[1400:]]
FORMS = ["post-put", "single-post", "chunks", "chunks-put", "stream", "algorithm"]


def push(client: Client, form: str, content: bytes, digest: str) -> httpx2.Response:
    if form == "single-post":
        return client.http.post(
            client.url("blobs/uploads/"), params={"digest": digest}, content=content, headers=OCTETS
        )
    if form == "algorithm":
        algorithm = digest.partition(":")[0]
        session = client.session(**{"digest-algorithm": algorithm})
        return client.put(session, digest, content)
    session = client.session()
    if form == "post-put":
        return client.put(session, digest, content)
    if form == "stream":
        parts = (content[start : start + 300] for start in range(0, len(content), 300))
        session = client.http.patch(session, content=parts, headers=OCTETS).headers["location"]
        return client.put(session, digest)
    step = max(1, len(content) // 3)
    starts = list(range(0, len(content), step))
    last = starts.pop() if form == "chunks-put" and starts else None
    for start in starts:
        part = content[start : start + step]
        answer = client.patch(session, part, start)
        assert answer.status_code == 202
        assert answer.headers["range"] == f"0-{start + len(part) - 1}"
        session = answer.headers["location"]
    if last is None:
        return client.put(session, digest)
    return client.put(session, digest, content[last:], last)


@pytest.mark.parametrize("content", [CONTENT, b"", b"{}", b"x"], ids=["2k", "empty", "{}", "one"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("form", FORMS)
def test_a_blob_is_pushed(client: Client, form: str, algorithm: str, content: bytes) -> None:
    digest = digest_of(content, algorithm)

    answer = push(client, form, content, digest)

    client.created(answer, content, digest)
    head = client.http.head(client.url(f"blobs/{digest}"))
    assert head.status_code == 200
    assert head.headers["content-length"] == str(len(content))
    assert head.headers["docker-content-digest"] == digest


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "digest", ["sha256:baddigeststring", "sha256:" + "0" * 64, "md5:" + "0" * 32, "x", "sha256:"]
)
def test_a_wrong_digest_is_400(client: Client, form: str, digest: str) -> None:
    if form == "algorithm" and not digest.startswith("sha256"):
        assert client.begin(**{"digest-algorithm": digest}).status_code == 400
        return

    answer = push(client, form, CONTENT, digest)

    assert answer.status_code == 400
    assert has_envelope(answer)
    assert client.http.get(client.url("blobs/sha256:" + "0" * 64)).status_code == 404


def test_a_session_has_a_uuid_in_its_location(client: Client) -> None:
    location = client.session()

    assert re.search(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", location)
    assert location.startswith(client.url("blobs/uploads/"))


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
@pytest.mark.parametrize("stored", [0, 1], ids=["before any byte", "back to 0"])
def test_a_chunk_out_of_order_is_416_and_the_session_survives(
    client: Client, method: str, stored: int
) -> None:
    digest, session = digest_of(CONTENT), client.session()
    if stored:
        session = client.patch(session, THIRDS[0], 0).headers["location"]
    wrong = (THIRDS[0], 0) if stored else (THIRDS[1], 700)

    if method == "PATCH":
        answer = client.patch(session, *wrong)
    else:
        answer = client.put(session, digest, *wrong)

    assert answer.status_code == 416
    assert has_envelope(answer)
    status = client.http.get(session)
    assert status.status_code == 204
    assert status.headers["range"] == ("0-699" if stored else "0--1")
    session = status.headers["location"]
    start = 700 * stored
    session = client.patch(session, CONTENT[start:], start).headers["location"]
    client.created(client.put(session, digest), CONTENT, digest)


def test_a_cancelled_session_is_gone(client: Client) -> None:
    session = client.session()
    client.patch(session, THIRDS[0], 0)

    answer = client.http.delete(session, headers={"Content-Length": "0"})

    assert answer.status_code == 204
    for again in (
        client.http.get(session),
        client.http.delete(session),
        client.patch(session, THIRDS[0], 0),
        client.put(session, digest_of(THIRDS[0]), THIRDS[0]),
    ):
        assert again.status_code == 404
        assert has_envelope(again)


def test_a_session_is_of_its_repository_alone(a_client: Callable[[], Client]) -> None:
    mine, other = a_client(), a_client()
    session = mine.session()
    mine.patch(session, THIRDS[0], 0)
    stolen = session.replace(mine.name, other.name)

    found = [
        other.http.get(stolen).status_code,
        other.patch(stolen, b"evil", 700).status_code,
        other.put(stolen, digest_of(THIRDS[0])).status_code,
        other.http.delete(stolen).status_code,
    ]

    assert found == [404] * 4
    mine.created(mine.put(session, digest_of(THIRDS[0])), THIRDS[0], digest_of(THIRDS[0]))


def test_an_unknown_session_is_404(client: Client) -> None:
    path = client.url(f"blobs/uploads/{uuid.uuid4()}")

    assert client.http.get(path).status_code == 404


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_blob_is_mounted(a_client: Callable[[], Client], algorithm: str) -> None:
    source, target = a_client(), a_client()
    digest = source.push(CONTENT + source.name.encode(), algorithm)["digest"]

    named = target.begin(**{"mount": digest, "from": source.name})
    anonymous = a_client().begin(mount=digest)

    target.created(named, CONTENT + source.name.encode(), digest)
    assert anonymous.status_code == 201


@pytest.mark.parametrize("query", [{}, {"from": "no/such"}, {"from": "Not A Name"}])
def test_a_mount_of_an_absent_blob_begins_a_session(client: Client, query: dict[str, str]) -> None:
    digest = digest_of(client.name.encode())

    answer = client.begin(mount=digest, **query)

    assert answer.status_code == 202
    client.created(
        client.put(answer.headers["location"], digest, client.name.encode()),
        client.name.encode(),
        digest,
    )


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_deleted_blob_is_gone_at_once(client: Client, algorithm: str) -> None:
    digest = client.push(CONTENT, algorithm)["digest"]

    answer = client.http.delete(client.url(f"blobs/{digest}"))

    assert answer.status_code == 202
    client.gone(f"blobs/{digest}")
    assert client.http.delete(client.url(f"blobs/{digest}")).status_code == 404


@pytest.mark.parametrize(
    ("header", "start", "stop"),
    [
        ("bytes=500-1499", 500, 1500),
        ("bytes=500-", 500, 2048),
        ("bytes=-500", 1548, 2048),
        ("bytes=500-99999", 500, 2048),
        ("bytes=-99999", 0, 2048),
        ("bytes=0-0", 0, 1),
    ],
)
def test_a_range_of_a_blob_is_206(client: Client, header: str, start: int, stop: int) -> None:
    digest = client.push(CONTENT)["digest"]

    answer = client.http.get(client.url(f"blobs/{digest}"), headers={"Range": header})

    assert answer.status_code == 206
    assert answer.content == CONTENT[start:stop]
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/2048"
    assert answer.headers["docker-content-digest"] == digest


@pytest.mark.parametrize("header", ["bytes=500-0", "bytes=2048-", "bytes=5000-6000"])
def test_a_range_that_cannot_be_had_is_416(client: Client, header: str) -> None:
    digest = client.push(CONTENT)["digest"]

    answer = client.http.get(client.url(f"blobs/{digest}"), headers={"Range": header})

    assert answer.status_code == 416
    assert answer.headers["content-range"] == "bytes */2048"


@pytest.mark.parametrize("digest", ["sha256:baddigeststring", "md5:" + "0" * 32])
@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_a_bad_digest_of_a_blob_is_refused(client: Client, method: str, digest: str) -> None:
    answer = client.http.request(method, client.url(f"blobs/{digest}"))

    assert answer.status_code in (400, 404)


def test_the_same_blob_may_be_pushed_twice(client: Client) -> None:
    digest, session = digest_of(CONTENT), client.session()
    client.push(CONTENT)

    first, again = client.put(session, digest, CONTENT), client.put(session, digest, CONTENT)

    client.created(first, CONTENT, digest)
    client.created(again, CONTENT, digest)
