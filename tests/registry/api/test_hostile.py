"""Bad input at every endpoint: always an answer, never a 5xx, always in the spec's envelope."""

import string

import httpx2
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from oci.digest import Digest
from registry.api.routes import ENDPOINTS, Endpoint
from tests.support.images import an_image
from tests.support.registry.wire import NAME, as_written, envelope, push_image, start

pytestmark = pytest.mark.takes(12)

IMAGE = an_image()
GOOD_NAMES = (NAME, "no/such", "a/blobs/b")
GOOD_DIGESTS = (str(IMAGE.digest), str(Digest.of(IMAGE.config)), f"sha512:{'0' * 128}")

# Characters that a request line can hold: no space, no control character.
VISIBLE = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in "?#")
target_text = st.text(VISIBLE, max_size=80)
escapes = st.binary(max_size=20).map(lambda raw: "".join(f"%{byte:02x}" for byte in raw))
nasty = st.sampled_from(
    [
        *(
            "..",
            "../../etc/passwd",
            "%2e%2e%2f",
            "%00",
            "%",
            "%zz",
            "a" * 5000,
            "-1",
            "0",
            "9" * 40,
        ),
        *("sha256:", f"sha256:{'0' * 64}%0a", "sha256:" + "%D9%A0" * 64, "NaN", "1e309", "%F0%9F"),
        *("latest%20", "LATEST", "_", "&=&", "%26", "a;b", "[]", "{}", "$(id)", "'--", "%25%30%30"),
    ]
)
anything = st.one_of(target_text, escapes, nasty)
names = st.one_of(st.sampled_from(GOOD_NAMES), anything)
references = st.one_of(st.sampled_from(("latest", *GOOD_DIGESTS)), anything)
parameters = st.sampled_from(
    ["n", "last", "digest", "mount", "from", "tag", "artifactType", "digest-algorithm", "ns", "x"]
)
queries = st.lists(st.tuples(parameters, st.one_of(references, names)), max_size=4).map(
    lambda pairs: "&".join(f"{key}={value.replace('#', '')}" for key, value in pairs)
)
header_names = st.sampled_from(
    [
        *("range", "if-range", "if-match", "if-none-match", "content-range", "content-length"),
        *("content-type", "accept", "authorization", "x-request-id", "host", "expect"),
    ]
)
header_values = st.one_of(
    st.text(string.printable.strip(), max_size=60),
    st.sampled_from(
        [
            *("bytes=0-", "bytes=-1", "bytes=9-1", "bytes=" + "0-1," * 2000, "0-10", "5-3", "10"),
            *("99999999999999999999", "-1", "0", '"', "W/", "*", "application/json", "Basic x"),
            *(IMAGE.media_type, f'"{IMAGE.digest}"', "\u0663", "\xff", "bytes=\u0660-\u0663"),
        ]
    ),
)
headers = st.lists(st.tuples(header_names, header_values), max_size=4)
bodies = st.one_of(
    st.binary(max_size=200),
    st.sampled_from([b"", b"{}", b"[]", b"null", IMAGE.manifest, IMAGE.config, b"[" * 100_000]),
)


@settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    row=st.sampled_from(ENDPOINTS),
    method=st.sampled_from([None, None, None, "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "x"]),
    name=names,
    rest=references,
    query=queries,
    headers=headers,
    body=bodies,
)
@example(ENDPOINTS[8], None, NAME, "x", "tag=%ff", [("content-type", "\x7f/é")], IMAGE.manifest)
async def test_any_request_is_answered_in_the_specs_words(
    client: httpx2.AsyncClient,
    row: Endpoint,
    method: str | None,
    name: str,
    rest: str,
    query: str,
    headers: list[tuple[str, str]],
    body: bytes,
) -> None:
    path = row.path.replace("{name}", name)
    for parameter in ("{digest}", "{reference}", "{session}"):
        path = path.replace(parameter, rest)

    answer = await as_written(
        client, method or row.method, f"{path}?{query}", headers=headers, content=body
    )

    assert_answered_well(answer, method or row.method)


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    method=st.sampled_from(["PATCH", "PUT", "GET", "DELETE"]),
    query=queries,
    headers=headers,
    body=bodies,
)
async def test_any_request_to_a_live_session_is_answered(
    client: httpx2.AsyncClient,
    method: str,
    query: str,
    headers: list[tuple[str, str]],
    body: bytes,
) -> None:
    location = await start(client)

    answer = await as_written(client, method, f"{location}?{query}", headers=headers, content=body)

    assert_answered_well(answer, method)
    after = await client.get(location)
    assert after.status_code in (204, 404)


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(reference=references, query=queries, headers=headers, body=bodies)
async def test_whatever_was_refused_left_no_trace(
    client: httpx2.AsyncClient,
    reference: str,
    query: str,
    headers: list[tuple[str, str]],
    body: bytes,
) -> None:
    await push_image(client, IMAGE)
    before = (await client.get(f"/v2/{NAME}/tags/list")).json()

    answer = await as_written(
        client, "PUT", f"/v2/{NAME}/manifests/{reference}?{query}", headers=headers, content=body
    )

    assert_answered_well(answer, "PUT")
    after = (await client.get(f"/v2/{NAME}/tags/list")).json()
    if answer.status_code >= 400:
        assert after == before
    # Accepted tags are deleted, for the next example.
    for tag in set(after["tags"]) - set(before["tags"]):
        await client.delete(f"/v2/{NAME}/manifests/{tag}")


def assert_answered_well(answer: httpx2.Response, method: str) -> None:
    assert answer.status_code < 500, answer.text
    assert answer.headers["x-request-id"]
    if answer.status_code >= 400 and method != "HEAD":
        assert len(answer.content) < 4096
        for entry in envelope(answer):
            assert "Traceback" not in entry["message"]
            assert "\n" not in entry["message"]
