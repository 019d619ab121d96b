"""List repositories, on the wire."""

import httpx2
import pytest

from oci.http import parse_link
from tests.support.images import an_image
from tests.support.registry.wire import push_blob, push_image, refused

NAMES = ["a", "a/b", "a0", "library/app", "team-x/app", "team/app", "z"]


@pytest.fixture
async def filled(client: httpx2.AsyncClient) -> httpx2.AsyncClient:
    for name in reversed(NAMES):
        await push_image(client, an_image(), name=name)
    return client


async def test_all_repositories_are_listed(filled: httpx2.AsyncClient) -> None:
    answer = await filled.get("/v2/_catalog")

    assert answer.status_code == 200
    assert answer.json() == {"repositories": sorted(NAMES)}


async def test_an_empty_registry_has_none(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/v2/_catalog")).json() == {"repositories": []}


@pytest.mark.parametrize("n", range(1, 9))
async def test_pages_joined_are_the_list(filled: httpx2.AsyncClient, n: int) -> None:
    found: list[str] = []
    target: str | None = f"/v2/_catalog?n={n}"

    while target is not None:
        answer = await filled.get(target)
        found += answer.json()["repositories"]
        target = parse_link(answer.headers["link"]) if "link" in answer.headers else None

    assert found == sorted(NAMES)


async def test_last_need_not_exist(filled: httpx2.AsyncClient) -> None:
    answer = await filled.get("/v2/_catalog", params={"last": "m", "n": "1"})

    assert answer.json()["repositories"] == ["team-x/app"]


@pytest.mark.parametrize("last", ["A", "a//b", "a b", "é", "a" * 300, "../x"])
async def test_a_last_that_is_no_name_is_refused(client: httpx2.AsyncClient, last: str) -> None:
    await push_blob(client, b"x")

    refused(await client.get("/v2/_catalog", params={"last": last}), 400, "NAME_INVALID")
