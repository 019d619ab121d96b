"""Router: names that look like endpoints, methods, paths that two programs could read apart."""

from urllib.parse import quote

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci.digest import Digest
from registry.api.errors import EndpointUnknown, MethodNotAllowed, PathInvalid
from registry.api.routes import ENDPOINTS, Endpoint
from registry.api.routing import Router, decoded_path
from tests.support.images import an_image
from tests.support.registry.wire import as_written, push_blob, push_image, refused

ROUTER = Router(ENDPOINTS)
NAMES = [
    *("blobs", "manifests", "tags", "referrers", "uploads", "a/blobs/b", "a/manifests/b"),
    *("a/tags/list", "tags/list", "blobs/uploads", "a/blobs/uploads", "a/referrers", "v2"),
    *("v2/a/manifests", "manifests/latest", "a/blobs/uploads/b/blobs/uploads"),
]


@pytest.mark.parametrize("name", NAMES)
async def test_a_repository_may_be_called_like_an_endpoint(
    client: httpx2.AsyncClient, name: str
) -> None:
    image = an_image(seed=name)
    await push_image(client, image, name=name)

    manifest = await client.get(f"/v2/{name}/manifests/latest")
    tags = await client.get(f"/v2/{name}/tags/list")
    blob = await client.get(f"/v2/{name}/blobs/{Digest.of(image.config)}")
    referrers = await client.get(f"/v2/{name}/referrers/{image.digest}")

    assert manifest.content == image.manifest
    assert tags.json() == {"name": name, "tags": ["latest"]}
    assert blob.content == image.config
    assert referrers.status_code == 200


component = st.sampled_from(["a", "blobs", "manifests", "tags", "list", "uploads", "referrers"])


@given(
    name=st.lists(component, min_size=1, max_size=6).map("/".join), row=st.sampled_from(ENDPOINTS)
)
def test_every_name_is_found_again_in_every_path(name: str, row: Endpoint) -> None:
    parts = {"digest": f"sha256:{'0' * 64}", "reference": "latest", "session": "x"}
    path = row.path.replace("{name}", name)
    for key, value in parts.items():
        path = path.replace(f"{{{key}}}", value)

    endpoint, found = ROUTER.match(row.method, path)

    assert endpoint is row
    assert found.get("name", name) == name


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/v2", "/v1/", "/v2/a", "/v2/a/blobs", "/v2/a/blobs/", "/v2/a/blobs/uploads"),
        *("/v2/blobs/uploads/", "/v2//tags/list", "/v2/a/tags", "/v2/a/tags/", "/v2/_catalog/"),
        *("/v2/a/manifests/", "/v2/a/manifests/b/", "/v2/_catalog/x", "//v2/", "/V2/", "/healthz/"),
        *("/v2/manifests/latest", "/tokens", "/v2/a/tags/list/x"),
    ],
)
async def test_an_unknown_path_is_refused_in_the_envelope(
    client: httpx2.AsyncClient, path: str
) -> None:
    answer = await client.get(f"http://registry.test{path}")

    if path == "/v2/a/blobs/uploads":
        # One segment after blobs: a digest, and not one.
        refused(answer, 400, "DIGEST_INVALID")
    elif path == "/v2//tags/list":
        refused(answer, 404, "UNSUPPORTED")
    else:
        assert path in refused(answer, 404, "UNSUPPORTED")["message"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/v2/", "GET, HEAD"),
        ("PUT", f"/v2/a/blobs/sha256:{'0' * 64}", "DELETE, GET, HEAD"),
        ("PATCH", "/v2/a/manifests/latest", "DELETE, GET, HEAD, PUT"),
        ("GET", "/v2/a/blobs/uploads/", "POST"),
        ("POST", "/v2/a/blobs/uploads/x", "DELETE, GET, HEAD, PATCH, PUT"),
        ("DELETE", "/v2/a/tags/list", "GET, HEAD"),
        ("OPTIONS", "/v2/_catalog", "GET, HEAD"),
        ("BREW", "/healthz", "GET, HEAD"),
    ],
)
async def test_a_method_without_an_endpoint_is_refused_with_those_that_have_one(
    client: httpx2.AsyncClient, method: str, path: str, allowed: str
) -> None:
    answer = await client.request(method, path)

    refused(answer, 405, "UNSUPPORTED")
    assert answer.headers["allow"] == allowed


@pytest.mark.parametrize("path", ["/v2/", "/v2/_catalog", "/healthz", "/readyz"])
async def test_head_is_answered_wherever_get_is(client: httpx2.AsyncClient, path: str) -> None:
    answer = await client.head(path)

    assert answer.status_code == 200
    assert answer.content == b""


@pytest.mark.parametrize(
    "path",
    [
        *("/v2/a%2Fb/tags/list", "/v2/a%2fb/manifests/latest", "/v2/a/manifests/x%2Fy"),
        *("/v2/a%5Cb/tags/list", "/v2/a%00b/tags/list", "/v2/a/manifests/x%00"),
        *("/v2/a%ff/tags/list", "/v2/a%c3%28/tags/list", "/v2/a/manifests/%"),
        *("/v2/a/manifests/%4", "/v2/a/manifests/%zz", "/v2/..%2f..%2fetc/tags/list"),
    ],
)
async def test_in_1_a_path_that_could_be_read_in_two_ways_is_refused(
    client: httpx2.AsyncClient, path: str
) -> None:
    answer = await as_written(client, "GET", path)

    refused(answer, 400, "NAME_INVALID")


async def test_in_1_a_path_is_decoded_exactly_once(client: httpx2.AsyncClient) -> None:
    image = an_image()
    await push_image(client, image, name="a")

    once = await as_written(client, "GET", "/v2/%61/manifests/l%61test")
    twice = await as_written(client, "GET", "/v2/%2561/manifests/latest")

    assert once.content == image.manifest
    refused(twice, 400, "NAME_INVALID")


@pytest.mark.parametrize(
    "name",
    [
        *("A", "a//b", "/a", "a/", "-a", "a-", "a..b", "a___b", "a.-b", "a b", "é", "a\n", "a:b"),
        *("a@b", "_a", "a/.", "a/..", "../a", "a" * 256, "a/" * 128 + "a", "\u0430", "a\u200b"),
    ],
)
async def test_in_1_a_name_outside_the_specs_grammar_is_refused(
    client: httpx2.AsyncClient, name: str
) -> None:
    await push_blob(client, b"x", "a")
    path = quote(f"/v2/{name}/tags/list", safe="/:@")

    answer = await as_written(client, "GET", path)

    assert answer.status_code in (400, 404)
    if answer.status_code == 400:
        refused(answer, 400, "NAME_INVALID")


@pytest.mark.parametrize("tag", [".a", "-a", "a b", "a" * 129, "é", "a\n", "a,b", "a;b", "a~"])
async def test_in_1_a_tag_outside_the_specs_grammar_is_refused(
    client: httpx2.AsyncClient, tag: str
) -> None:
    path = quote(f"/v2/a/manifests/{tag}", safe="/,;~")

    answer = await as_written(client, "GET", path)

    refused(answer, 400, "MANIFEST_INVALID")


def test_two_rows_for_one_method_of_a_path_fail_at_import() -> None:
    with pytest.raises(ValueError, match="two endpoints for GET /v2/"):
        Router([ENDPOINTS[0], Endpoint("x", "GET", "/v2/", "open", ENDPOINTS[0].handler)])


@given(st.text(max_size=200), st.sampled_from(["GET", "PUT", "POST", "X"]))
def test_any_path_is_matched_or_refused(path: str, method: str) -> None:
    try:
        ROUTER.match(method, "/v2/" + path)
    except (EndpointUnknown, MethodNotAllowed) as refusal:
        assert str(refusal)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"/v2/%", "the path has a % that no two hex digits follow"),
        (b"/v2/%zz", "the path has a % that no two hex digits follow"),
        (b"/v2/a%2fb", "the path has %2f, expected no encoded / \\ or NUL"),
        (b"/v2/a%5C", "the path has %5C, expected no encoded / \\ or NUL"),
        (b"/v2/a%00", "the path has %00, expected no encoded / \\ or NUL"),
        (b"/v2/a%ff", "the path is not UTF-8 once it is decoded"),
    ],
)
def test_in_1_a_refusal_says_why_the_path_is_ambiguous(raw: bytes, message: str) -> None:
    with pytest.raises(PathInvalid) as caught:
        decoded_path({"raw_path": raw, "path": "/"})

    assert str(caught.value) == message


@given(st.binary(max_size=40) | st.text(alphabet="/%a25fFcC").map(str.encode))
def test_in_1_any_escaped_path_is_decoded_or_refused(raw: bytes) -> None:
    try:
        path = decoded_path({"raw_path": raw, "path": "" if b"%" in raw else raw.decode("latin-1")})
    except PathInvalid as refusal:
        assert str(refusal).startswith("the path ")
        return

    assert path.count("/") == raw.count(b"/")
    assert path.count("\0") == raw.count(b"\0")
