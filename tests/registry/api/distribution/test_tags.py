"""List tags, on the wire."""

import httpx2
import pytest

from oci.http import parse_link
from oci.mediatype import OCI_MANIFEST
from tests.support.images import an_image
from tests.support.registry.wire import NAME, push_image, push_manifest, refused

IMAGE = an_image()
PATH = f"/v2/{NAME}/tags/list"
TAGS = ["1.0", "10", "Beta", "_x", "a", "alpha", "latest", "z.z"]


@pytest.fixture
async def tagged(client: httpx2.AsyncClient) -> httpx2.AsyncClient:
    """A repository with TAGS, pushed in another order than they are listed."""
    await push_image(client, IMAGE, TAGS[3])
    for tag in reversed(TAGS):
        await push_manifest(client, IMAGE.manifest, OCI_MANIFEST, tag)
    return client


async def test_all_tags_are_listed_in_byte_order(tagged: httpx2.AsyncClient) -> None:
    answer = await tagged.get(PATH)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {"name": NAME, "tags": TAGS}
    assert "link" not in answer.headers


async def test_an_unknown_repository_is_refused(client: httpx2.AsyncClient) -> None:
    refused(await client.get("/v2/no/such/tags/list"), 404, "NAME_UNKNOWN")


async def test_a_repository_without_tags_has_an_empty_list(client: httpx2.AsyncClient) -> None:
    await push_image(client, IMAGE, str(IMAGE.digest))

    assert (await client.get(PATH)).json() == {"name": NAME, "tags": []}


@pytest.mark.parametrize("n", range(1, 10))
async def test_pages_joined_are_the_list(tagged: httpx2.AsyncClient, n: int) -> None:
    found: list[str] = []
    target: str | None = f"{PATH}?n={n}"

    while target is not None:
        assert target.startswith(PATH)
        answer = await tagged.get(target)
        page = answer.json()["tags"]
        link = answer.headers.get("link")
        assert len(page) == n or link is None
        found += page
        target = parse_link(link) if link else None

    assert found == TAGS


async def test_last_need_not_exist(tagged: httpx2.AsyncClient) -> None:
    answer = await tagged.get(PATH, params={"last": "aa", "n": "2"})

    assert answer.json()["tags"] == ["alpha", "latest"]


async def test_last_works_without_n(tagged: httpx2.AsyncClient) -> None:
    answer = await tagged.get(PATH, params={"last": "latest"})

    assert answer.json()["tags"] == ["z.z"]


async def test_n_zero_is_an_empty_list_without_a_link(tagged: httpx2.AsyncClient) -> None:
    answer = await tagged.get(PATH, params={"n": "0"})

    assert answer.json()["tags"] == []
    assert "link" not in answer.headers


@pytest.mark.parametrize("path", [PATH, "/v2/_catalog", f"/v2/{NAME}/referrers/{IMAGE.digest}"])
@pytest.mark.parametrize("n", ["-1", "x", "1.5", "+1", " 1", "1_0", "\u0663", "1e3", "0x10"])
async def test_ds_2_an_n_that_is_no_number_is_refused(
    tagged: httpx2.AsyncClient, path: str, n: str
) -> None:
    refused(await tagged.get(path, params={"n": n}), 400, "UNSUPPORTED")


@pytest.mark.parametrize("n", ["1000", "1001", "1000000000", "9" * 19, "9" * 5000])
async def test_ds_2_a_large_n_is_clamped(tagged: httpx2.AsyncClient, n: str) -> None:
    answer = await tagged.get(PATH, params={"n": n})

    assert answer.json()["tags"] == TAGS


@pytest.mark.parametrize("last", ["a b", "é", "a" * 129, "../x", "a\nb", "-x", "a%00b"])
async def test_ds_2_a_last_that_is_no_tag_is_refused(tagged: httpx2.AsyncClient, last: str) -> None:
    refused(await tagged.get(PATH, params={"last": last}), 400, "MANIFEST_INVALID")


async def test_more_than_a_thousand_tags_come_in_pages_even_unasked(
    client: httpx2.AsyncClient,
) -> None:
    await push_image(client, IMAGE, "a")
    for start in range(0, 1001, 100):
        query = "&".join(f"tag=t{n:04}" for n in range(start, min(start + 100, 1001)))
        await push_manifest(client, IMAGE.manifest, OCI_MANIFEST, f"{IMAGE.digest}?{query}")

    first = await client.get(PATH)
    target = parse_link(first.headers["link"])
    assert target is not None
    second = await client.get(target)

    assert len(first.json()["tags"]) == 1000
    assert second.json()["tags"] == ["t0999", "t1000"]
    assert "link" not in second.headers
