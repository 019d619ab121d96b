"""Access from live rows: mounts, foreign blobs, others' sessions, and roles that are taken away."""

import asyncio
import hashlib
import json
import random
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from oci.digest import Digest
from oci.mediatype import OCI_INDEX, OCI_MANIFEST
from oci.reference import RepositoryName
from registry.auth.access_token import LIFETIME_SECONDS
from registry.auth.roles import Access, Role
from registry.auth.scopes import parse_scopes
from registry.services.identity import principals, tokens
from registry.services.identity.identity import Identity
from registry.storage.metadata.identity import principals as principal_rows
from registry.storage.system_clock import SystemClock
from tests.support.images import an_image
from tests.support.registry.identified import (
    ACTOR,
    Headers,
    Identified,
    identified,
    rows,
)
from tests.support.registry.wire import push_blob, push_image, refused

IMAGE = an_image()
SECRET = b"a blob of the other team alone"
SECRET_DIGEST = Digest.of(SECRET)
UNKNOWN = Digest.of(b"never pushed")
FIRST, LAST = b"the first half, ", b"and the second"
WHOLE = Digest.of(FIRST + LAST)
PUSH = "repository:team/app:pull,push"


@pytest.fixture
async def opened(root: Path) -> AsyncIterator[Identified]:
    """A registry with other/app, which has a blob that nobody else has."""
    async with identified(root) as opened:
        opened.client.headers.update(await opened.user("lead", is_owner=True))
        await push_image(opened.client, IMAGE, name="other/app")
        await push_blob(opened.client, SECRET, "other/app")
        del opened.client.headers["Authorization"]
        yield opened


async def start(opened: Identified, headers: Headers, name: str = "team/app") -> str:
    answer = await opened.client.post(f"/v2/{name}/blobs/uploads/", headers=headers)
    assert answer.status_code == 202, answer.text
    location: str = answer.headers["location"]
    return location


async def mount(
    opened: Identified,
    headers: Headers,
    source: str | None = "other/app",
    digest: Digest = SECRET_DIGEST,
) -> httpx2.Response:
    query = {"mount": str(digest)} | ({} if source is None else {"from": source})
    return await opened.client.post("/v2/team/app/blobs/uploads/", params=query, headers=headers)


def as_started(answer: httpx2.Response) -> tuple[int, str, dict[str, str]]:
    """The answer of an upload that began, without the session's number."""
    session = answer.headers["docker-upload-uuid"]
    headers = {
        name: text.replace(session, "SESSION")
        for name, text in answer.headers.items()
        if name != "x-request-id"
    }
    return answer.status_code, answer.text, headers


async def test_az_5_a_mount_is_decided_from_live_grants_and_not_from_the_scope(
    opened: Identified,
) -> None:
    """Clients ask for a scope of the target alone."""
    ada = await opened.user("ada", "push team/*", "pull other/app")
    target_only = await opened.bearer(ada, PUSH)
    both = await opened.bearer(ada, PUSH, "repository:other/app:pull")

    assert (await mount(opened, target_only)).status_code == 201
    await opened.revoke("ada", "other/app")
    for headers in (both, target_only, ada):
        assert (await mount(opened, headers)).status_code == 202


async def test_az_5_the_limits_of_a_token_count_for_the_source_too(opened: Identified) -> None:
    await opened.user("ada", "push team/*", "pull other/app")
    narrow = await opened.token("ada", "push team/*")

    for headers in (narrow, await opened.bearer(narrow, PUSH, "repository:other/app:pull")):
        assert (await mount(opened, headers)).status_code == 202
        assert (await mount(opened, headers, None)).status_code == 202


async def test_az_5_a_mount_without_a_source_takes_only_what_the_caller_may_pull(
    opened: Identified,
) -> None:
    ada = await opened.user("ada", "push team/*", "pull other/*")
    eve = await opened.user("eve", "push team/*")

    assert (await mount(opened, eve, None)).status_code == 202
    assert (await mount(opened, ada, None)).status_code == 201
    assert (await mount(opened, eve, None)).status_code == 201, "it is in team/app now"


async def test_az_5_a_failed_mount_begins_an_upload_and_tells_nothing(opened: Identified) -> None:
    ada = await opened.user("ada", "push team/*")
    sources = ("other/app", "other/absent", "Not A Name", "team/absent", None)

    answers = [
        await mount(opened, headers, source, digest)
        for headers in (ada, await opened.bearer(ada, PUSH))
        for source in sources
        for digest in (SECRET_DIGEST, UNKNOWN)
    ]

    assert len({str(as_started(answer)) for answer in answers}) == 1
    assert answers[0].status_code == 202
    members = await rows(opened, "repo_blobs")
    for digest in (SECRET_DIGEST, UNKNOWN):
        head = await opened.client.head(f"/v2/team/app/blobs/{digest}", headers=ada)
        assert head.status_code == 404
    assert await rows(opened, "repo_blobs") == members


async def test_az_5_a_mount_needs_push_on_the_target(opened: Identified) -> None:
    ada = await opened.user("ada", "pull team/*", "admin other/*")

    refused(await mount(opened, ada), 401, "UNAUTHORIZED")


def a_manifest(config: Digest, size: int) -> bytes:
    descriptor = {"mediaType": "application/x", "digest": str(config), "size": size}
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": descriptor, "layers": []}
    return json.dumps(document).encode()


def an_index(child: Digest, size: int) -> bytes:
    descriptor = {"mediaType": OCI_MANIFEST, "digest": str(child), "size": size}
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [descriptor]}
    return json.dumps(document).encode()


async def test_az_6_naming_a_foreign_blob_gives_nothing_and_answers_as_an_unknown_one(
    opened: Identified,
) -> None:
    ada = await opened.user("ada", "admin team/*")
    members = await rows(opened, "repo_blobs", "manifests", "manifest_edges", "tags")
    pairs = [
        (a_manifest(SECRET_DIGEST, len(SECRET)), a_manifest(UNKNOWN, len(SECRET)), SECRET_DIGEST),
        (an_index(IMAGE.digest, 99), an_index(UNKNOWN, 99), IMAGE.digest),
    ]

    for foreign, unknown, digest in pairs:
        texts = []
        for content in (foreign, unknown):
            answer = await put(opened, ada, content, "latest")
            refused(answer, 404, "MANIFEST_BLOB_UNKNOWN")
            texts.append(answer.text)
        assert texts[0].replace(str(digest), str(UNKNOWN)) == texts[1]
    assert await rows(opened, "repo_blobs", "manifests", "manifest_edges", "tags") == members
    found = await opened.client.get(f"/v2/team/app/blobs/{SECRET_DIGEST}", headers=ada)
    assert found.status_code == 404


async def put(
    opened: Identified, headers: Headers, content: bytes, reference: str, name: str = "team/app"
) -> httpx2.Response:
    media_type = json.loads(content)["mediaType"]
    return await opened.client.put(
        f"/v2/{name}/manifests/{reference}",
        content=content,
        headers={**headers, "Content-Type": media_type},
    )


async def every_verb(opened: Identified, headers: Headers, location: str) -> list[httpx2.Response]:
    client = opened.client
    return [
        await client.get(location, headers=headers),
        await client.head(location, headers=headers),
        await client.patch(location, content=b"evil", headers=headers),
        await client.put(f"{location}?digest={Digest.of(FIRST)}", headers=headers),
        await client.put(f"{location}?digest={WHOLE}", content=LAST, headers=headers),
        await client.delete(location, headers=headers),
    ]


async def test_az_7_the_session_of_another_identity_is_as_unknown_as_none(
    opened: Identified,
) -> None:
    await opened.grant("anonymous", "push team/*")
    victim, ada = await opened.user("victim", "push *"), await opened.user("ada", "admin *")
    location = await start(opened, victim)
    await opened.client.patch(location, content=FIRST, headers=victim)
    session = location.rpartition("/")[2]
    none = location.replace(session, "00000000-0000-4000-8000-000000000000")
    elsewhere = location.replace("team/app", "team/other")
    callers = [ada, await opened.bearer(ada, PUSH), {}, await opened.bearer(None, PUSH)]

    for headers in callers:
        answers = [await every_verb(opened, headers, each) for each in (location, none)]
        for answer, absent in zip(*answers, strict=True):
            assert answer.status_code == absent.status_code == 404
            unknown = none.rpartition("/")[2]
            assert answer.text.replace(session, unknown) == absent.text
    for answer in await every_verb(opened, victim, elsewhere):
        assert answer.status_code == 404

    done = await opened.client.put(f"{location}?digest={WHOLE}", content=LAST, headers=victim)
    assert done.status_code == 201
    found = await opened.client.get(f"/v2/team/app/blobs/{WHOLE}", headers=victim)
    assert hashlib.sha256(found.content).hexdigest() == WHOLE.encoded


NAMES = (
    "a",
    "a/b",
    "a/b/c",
    "b",
    "ab",
    "a/bc",
    "team/app",
    "team/app2",
    "team",
    "app",
    "a-b",
    "a.b",
)
ACCESSES: dict[Access, str] = {
    "see": "pull",
    "pull": "pull",
    "create": "push",
    "push": "push",
    "maintain": "delete",
}


async def test_az_9_a_token_allows_exactly_its_scope(opened: Identified) -> None:
    """10,000 random pairs of a scope and a request, of a caller who may do everything."""
    chance = random.Random(9)  # noqa: S311  # a seed, no secret
    authorizer = opened.authorizer
    lead = await opened.state.database.look(principal_rows.BY_NAME, "lead")
    assert lead is not None
    identity = Identity(lead.id, "lead", password=lead.version)
    wrong, allowed = [], 0

    for _ in range(500):
        asked = [
            (name, chance.sample(["pull", "push", "delete", "*", "admin"], chance.randint(0, 3)))
            for name in chance.choices((*NAMES, "*", "team/*", "A", "host:5000/a"), k=5)
        ]
        texts = [f"repository:{name}:{','.join(actions)}" for name, actions in asked]
        issued = await authorizer.tokens.issue(identity, parse_scopes(texts), offline=False)
        caller = authorizer.authentication.by_access_token(issued.text)
        for _ in range(20):
            name, access = chance.choice(NAMES), chance.choice([*ACCESSES])
            expected = any(
                name == of and (ACCESSES[access] in actions or "*" in actions)
                for of, actions in asked
            )
            parsed = RepositoryName.parse(name)
            decided = await authorizer.authorization.decide(caller, access, parsed)
            allowed += expected
            if isinstance(decided, Role) != expected:
                wrong.append(f"{texts}: {access} in {name}")

    assert not wrong
    assert 1000 < allowed < 9000


async def test_az_9_a_scope_gives_no_more_than_the_grants(opened: Identified) -> None:
    ada = await opened.user("ada", "push team/app")
    token = await opened.bearer(ada, PUSH)
    await start(opened, token)

    await opened.revoke("ada", "team/app")
    await opened.grant("ada", "pull team/app")

    refused(
        await opened.client.post("/v2/team/app/blobs/uploads/", headers=token), 401, "UNAUTHORIZED"
    )
    listed = await opened.client.get("/v2/team/app/tags/list", headers=token)
    assert listed.status_code == 404, "may be seen, and is not there"


ENDS = ("grant", "membership", "token", "disabled", "removed")


async def end(opened: Identified, way: str) -> None:
    """Take away what ada has, in one of several ways."""
    state = opened.state
    match way:
        case "grant":
            await opened.revoke("devs", "team/*")
        case "membership":
            await principals.remove_member(state, ACTOR, "devs", "ada")
        case "token":
            for found in await tokens.list_tokens(state, "ada"):
                await tokens.revoke_token(state, ACTOR, found.id)
        case "disabled":
            await principals.set_flags(state, ACTOR, "ada", is_disabled=True)
        case "removed":
            await principals.remove(state, ACTOR, "ada", "user")


@pytest.mark.parametrize("way", ENDS)
@pytest.mark.parametrize("by", ["basic", "bearer"])
async def test_az_10_access_that_is_taken_away_is_gone_within_an_open_upload(
    opened: Identified, way: str, by: str
) -> None:
    await principals.add_group(opened.state, ACTOR, "devs")
    await opened.grant("devs", "push team/*")
    headers = await opened.user("ada")
    await principals.add_member(opened.state, ACTOR, "devs", "ada")
    if by == "bearer":
        headers = await opened.bearer(headers, PUSH)
    location = await start(opened, headers)
    assert (await opened.client.patch(location, content=FIRST, headers=headers)).status_code == 202
    seen = await put(opened, headers, an_empty_index("ada"), "latest")
    etag = {"If-None-Match": f'"{seen.headers["docker-content-digest"]}"'}
    before = await rows(opened, "repo_blobs", "tags", "manifests")

    await end(opened, way)

    for answer in await every_verb(opened, headers, location):
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"]
    path = "/v2/team/app/manifests/latest"
    for more in ({}, etag):
        answer = await opened.client.get(path, headers={**headers, **more})
        refused(answer, 401, "UNAUTHORIZED")
    again = await put(opened, headers, an_empty_index("again"), "latest")
    assert again.status_code == 401
    assert await rows(opened, "repo_blobs", "tags", "manifests") == before
    session = location.rpartition("/")[2]
    assert await opened.state.received(session) == len(FIRST)


def an_empty_index(of: str) -> bytes:
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}
    return json.dumps({**document, "annotations": {"of": of}}).encode()


async def test_az_10_a_grant_counts_for_the_token_that_was_there_before(
    opened: Identified,
) -> None:
    ada = await opened.user("ada")
    refused(
        await opened.client.post("/v2/team/app/blobs/uploads/", headers=ada), 401, "UNAUTHORIZED"
    )

    await opened.grant("ada", "push team/app")

    await start(opened, ada)


@pytest.mark.parametrize("by", ["basic", "bearer"])
async def test_az_2_a_creator_makes_new_tags_and_moves_none(opened: Identified, by: str) -> None:
    ada, lead = await opened.user("ada", "create team/*"), await opened.token("lead")
    if by == "bearer":
        ada = await opened.bearer(ada, PUSH)
    first, second = an_empty_index("first"), an_empty_index("second")
    digest = Digest.of(second)

    assert (await put(opened, ada, first, "latest")).status_code == 201
    assert (await put(opened, ada, first, "latest")).status_code == 201, "it is there already"
    for reference in ("latest", f"{digest}?tag=latest", "new?tag=latest&tag=other"):
        refused(await put(opened, ada, second, reference), 409, "DENIED")
    listed = await opened.client.get("/v2/team/app/tags/list", headers=ada)
    assert listed.json()["tags"] == ["latest"], "of a push with one tag refused none is made"
    found = await opened.client.get("/v2/team/app/manifests/latest", headers=ada)
    assert found.content == first
    assert (await put(opened, ada, second, f"{digest}?tag=v2")).status_code == 201
    assert (await put(opened, lead, second, "latest")).status_code == 201
    for path in ("manifests/latest", f"manifests/{digest}"):
        answer = await opened.client.delete(f"/v2/team/app/{path}", headers=ada)
        refused(answer, 401, "UNAUTHORIZED")


async def test_az_2_of_two_creators_of_one_tag_one_makes_it(opened: Identified) -> None:
    ada, eve = await opened.user("ada", "create team/*"), await opened.user("eve", "create team/*")

    for number in range(50):
        answers = await asyncio.gather(
            put(opened, ada, an_empty_index(f"ada {number}"), f"v{number}"),
            put(opened, eve, an_empty_index(f"eve {number}"), f"v{number}"),
        )
        assert sorted(answer.status_code for answer in answers) == [201, 409]


class Later:
    """The wall clock, some time from now."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds = 0
        monkeypatch.setattr(
            SystemClock, "wall_ms", lambda _: time.time_ns() // 1_000_000 + self.seconds * 1000
        )


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Later:
    return Later(monkeypatch)


async def test_a_push_that_began_with_a_valid_token_is_not_broken_off_by_its_end(
    opened: Identified, later: Later
) -> None:
    ada = await opened.user("ada", "push team/*")
    token = await opened.bearer(ada, PUSH)
    location, second = await start(opened, token), await start(opened, token)

    later.seconds = LIFETIME_SECONDS + 1
    client = opened.client
    assert (await client.patch(location, content=FIRST, headers=token)).status_code == 202
    assert (await client.get(location, headers=token)).status_code == 204
    done = await client.put(f"{location}?digest={WHOLE}", content=LAST, headers=token)
    assert done.status_code == 201
    assert (await client.delete(second, headers=token)).status_code == 204


async def test_an_expired_token_counts_for_nothing_else(opened: Identified, later: Later) -> None:
    ada, eve = await opened.user("ada", "push *"), await opened.user("eve", "push *")
    token = await opened.bearer(ada, PUSH, "repository:team/other:pull,push", "registry:catalog:*")
    pull_only = await opened.bearer(ada, "repository:team/app:pull")
    location, foreign = await start(opened, token), await start(opened, eve)

    later.seconds = LIFETIME_SECONDS
    after = await start(opened, ada)
    session = location.rpartition("/")[2]
    elsewhere = location.replace("team/app", "team/other")
    paths = ["/v2/", "/v2/_catalog", "/v2/team/app/tags/list", "/v2/other/app/tags/list", "/token"]
    answers = [await opened.client.get(path, headers=token) for path in paths]
    answers.append(await opened.client.post("/v2/team/app/blobs/uploads/", headers=token))
    answers.append(await mount(opened, token))
    answers.append(await put(opened, token, an_empty_index("late"), "latest"))
    for place in (foreign, elsewhere, after, location.replace(session, "x")):
        answers += await every_verb(opened, token, place)
    answers += await every_verb(opened, pull_only, location)

    for answer in answers:
        assert answer.status_code == 401
    assert 'error="invalid_token"' in answers[0].headers["www-authenticate"]
    assert 'error="invalid_token"' in answers[2].headers["www-authenticate"]
    assert (await opened.client.get(location, headers=token)).status_code == 204


@pytest.mark.parametrize("way", ["token", "disabled", "removed"])
async def test_the_end_of_an_account_breaks_off_the_uploads_of_expired_tokens_too(
    opened: Identified, later: Later, way: str
) -> None:
    ada = await opened.user("ada", "push team/*")
    token = await opened.bearer(ada, PUSH)
    location = await start(opened, token)
    later.seconds = LIFETIME_SECONDS + 1

    await end(opened, way)

    for answer in await every_verb(opened, token, location):
        assert answer.status_code == 401


async def test_an_expired_anonymous_token_is_refused_everywhere(
    opened: Identified, later: Later
) -> None:
    await opened.grant("anonymous", "pull other/*")
    token = await opened.bearer(None, "repository:other/app:pull", "registry:catalog:*")
    path = "/v2/other/app/manifests/latest"
    assert (await opened.client.get(path, headers=token)).status_code == 200

    later.seconds = LIFETIME_SECONDS

    for each in ("/v2/", "/v2/_catalog", path):
        refused(await opened.client.get(each, headers=token), 401, "UNAUTHORIZED")
    assert (await opened.client.get(path)).status_code == 200
