"""Rule AZ-1: every identity, every repository, every endpoint in every form, against an oracle."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, cast

import httpx2
import pytest

from oci.digest import Digest
from oci.http import parse_challenge
from oci.mediatype import OCI_INDEX
from oci.reference import RepositoryName
from registry.api.routes import ENDPOINTS
from registry.auth.roles import Access
from registry.services.identity import grants, principals, tokens
from registry.services.identity.authorization import Authorization
from tests.support.images import an_image
from tests.support.registry.identified import ACTOR, Headers, Identified, identified, rows
from tests.support.registry.wire import push_blob, push_image, start

pytestmark = pytest.mark.takes(20)

# The oracle: the documentation in a few lines, and nothing of the product.

LEVELS = {"pull": 1, "create": 2, "push": 3, "maintain": 4, "admin": 5}

GRANTS = {
    "anonymous": ["pull pub/*"],
    "everyone": ["pull shared/*", "push home/{user}/*"],
    "devs": ["push team/*"],
    "puller": ["pull team/*"],
    "creator": ["create team/*"],
    "pusher": ["push team/*", "pull team/app"],
    "maintainer": ["maintain team/app", "maintain team/absent"],
    "admin": ["admin team/*"],
    "robot-in": ["push team/*"],
    "robot-out": ["push other/app"],
    "narrowed": ["admin *"],
    "dead": ["admin *"],
    "other-admin": ["admin other/*"],
}


@dataclass(frozen=True)
class Caller:
    """Credentials, and what is true of them."""

    label: str
    name: str = ""  # empty for anonymous
    groups: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    is_signed_in: bool = True  # or has an anonymous token
    is_dead: bool = False
    is_owner: bool = False
    is_auditor: bool = False


def matches(pattern: str, repository: str, user: str) -> bool:
    pattern = pattern.replace("{user}", user)
    return pattern in ("*", repository) or (
        pattern.endswith("/*") and repository.startswith(pattern[:-1])
    )


def level(caller: Caller, repository: str) -> int:
    """The highest level by grants."""
    signed_in = ("everyone", caller.name, *caller.groups) if caller.name else ()
    held = [grant.split() for each in ("anonymous", *signed_in) for grant in GRANTS.get(each, [])]
    levels = [LEVELS[role] for role, where in held if matches(where, repository, caller.name)]
    return 5 if caller.is_owner else max(levels, default=0)


def may(caller: Caller, need: str, repository: str) -> bool:
    if need == "nothing" or caller.is_dead:
        return need == "nothing"
    if need in ("alive", "signed in"):
        return need == "alive" or caller.is_signed_in
    needed = LEVELS["pull" if need == "see" else need]
    limits = [limit.split() for limit in caller.limits]
    is_within = not limits or any(
        LEVELS[role] >= needed and matches(where, repository, caller.name) for role, where in limits
    )
    is_seen = need == "see" and caller.is_auditor
    return is_within and (is_seen or level(caller, repository) >= needed)


# The need of each endpoint.
NEEDS = {
    ("GET", "/v2/"): "signed in",
    ("GET", "/v2/_catalog"): "signed in",
    ("GET", "/token"): "alive",
    ("POST", "/token"): "nothing",
    ("GET", "/healthz"): "nothing",
    ("GET", "/readyz"): "nothing",
    ("HEAD", "/v2/{name}/blobs/{digest}"): "pull",
    ("GET", "/v2/{name}/blobs/{digest}"): "pull",
    ("DELETE", "/v2/{name}/blobs/{digest}"): "maintain",
    ("HEAD", "/v2/{name}/manifests/{reference}"): "pull",
    ("GET", "/v2/{name}/manifests/{reference}"): "pull",
    ("PUT", "/v2/{name}/manifests/{reference}"): "create",
    ("DELETE", "/v2/{name}/manifests/{reference}"): "maintain",
    ("POST", "/v2/{name}/blobs/uploads/"): "create",
    ("PATCH", "/v2/{name}/blobs/uploads/{session}"): "create",
    ("PUT", "/v2/{name}/blobs/uploads/{session}"): "create",
    ("GET", "/v2/{name}/blobs/uploads/{session}"): "create",
    ("DELETE", "/v2/{name}/blobs/uploads/{session}"): "create",
    ("GET", "/v2/{name}/tags/list"): "see",
    ("GET", "/v2/{name}/referrers/{digest}"): "see",
}

# The callers and the repositories.

CALLERS = [
    Caller("without credentials", is_signed_in=False),
    Caller("anonymous token"),
    *(Caller(name, name) for name in ("puller", "creator", "pusher", "maintainer", "admin")),
    Caller("group member", "member", groups=("devs",)),
    Caller("everyone's grant only", "ada"),
    Caller("robot in scope", "robot-in"),
    Caller("robot out of scope", "robot-out"),
    Caller("narrowed", "narrowed", limits=("push team/app", "pull other/*", "pull home/{user}/*")),
    *(Caller(kind, "dead", is_dead=True) for kind in ("expired", "revoked")),
    *(Caller(kind, kind, is_dead=True) for kind in ("disabled", "removed")),
    Caller("other team's admin", "other-admin"),
    Caller("auditor", "reviewer", is_auditor=True),
    Caller("owner", "lead", is_owner=True),
]
# These by an access token too.
BY_BEARER = ("creator", "group member", "narrowed", "auditor", "owner", "robot out of scope")

PRESENT = ("pub/app", "shared/app", "team/app", "other/app", "home/ada/app")
ABSENT = ("pub/absent", "team/absent", "other/absent")
REPOSITORIES = PRESENT + ABSENT

IMAGE = an_image()
LOOSE = b"a blob that no manifest names"
SECRET = b"a blob of the other team alone"
UNKNOWN = Digest.of(b"never pushed")
HALF = b"the first half of an upload"


class Cell(NamedTuple):
    """One request of the matrix, of one caller."""

    caller: Caller
    way: str
    need: str
    method: str
    path: str
    name: str = ""
    body: bytes = b""

    def __str__(self) -> str:
        return f"{self.caller.label} by {self.way}: {self.method} {self.path}"

    @property
    def is_allowed(self) -> bool:
        # An access token is for less than its owner may have, and gets no other.
        is_renewal = self.need == "alive" and self.by_access_token
        return may(self.caller, self.need, self.name) and not is_renewal

    @property
    def by_access_token(self) -> bool:
        return self.way == "bearer" or self.caller.label == "anonymous token"


@dataclass
class World:
    """The registry with everything in it."""

    opened: Identified
    headers: dict[str, Headers] = field(default_factory=dict)
    bearers: dict[tuple[str, str], Headers] = field(default_factory=dict)
    sessions: dict[str, str] = field(default_factory=dict)
    victim: Headers = field(default_factory=dict)

    async def send(self, cell: Cell) -> httpx2.Response:
        headers = dict(self.headers[cell.caller.label])
        if cell.by_access_token:
            headers = dict(self.bearers[cell.caller.label, cell.name])
        if "/manifests/" in cell.path and cell.body:
            headers["Content-Type"] = OCI_INDEX
        return await self.opened.client.request(
            cell.method, cell.path, headers=headers, content=cell.body
        )


@pytest.fixture
async def world(root: Path) -> AsyncIterator[World]:
    async with identified(root) as opened:
        world = World(opened)
        await add_callers(world)
        opened.client.headers.update(world.victim)
        for name in PRESENT:
            await push_image(opened.client, IMAGE, name=name)
            await push_blob(opened.client, LOOSE, name)
            world.sessions[name] = (await start(opened.client, name)).rpartition("/")[2]
            location = f"/v2/{name}/blobs/uploads/{world.sessions[name]}"
            assert (await opened.client.patch(location, content=HALF)).status_code == 202
        await push_blob(opened.client, SECRET, "other/app")
        del opened.client.headers["Authorization"]
        await add_bearers(world)
        yield world


async def add_callers(world: World) -> None:
    opened, state = world.opened, world.opened.state
    world.victim = await opened.user("victim", "admin *")
    await principals.add_group(state, ACTOR, "devs")
    for name in ("anonymous", "everyone", "devs"):
        await opened.grant(name, *GRANTS[name])
    await opened.user("dead", *GRANTS["dead"])
    for caller in CALLERS:
        given = GRANTS.get(caller.name, [])
        if not caller.name:
            world.headers[caller.label] = {}
        elif caller.name.startswith("robot"):
            world.headers[caller.label] = await opened.robot(caller.name, *given)
        elif caller.name == "dead":
            life = 1 if caller.label == "expired" else None
            world.headers[caller.label] = await opened.token(
                "dead", life_ms=life, label=caller.label
            )
        else:
            world.headers[caller.label] = await opened.user(
                caller.name, *given, is_owner=caller.is_owner, is_auditor=caller.is_auditor
            )
        if caller.limits:
            world.headers[caller.label] = await opened.token(caller.name, *caller.limits)
        for group in caller.groups:
            await principals.add_member(state, ACTOR, group, caller.name)
    for found in await tokens.list_tokens(state, "dead"):
        if found.label == "revoked":
            await tokens.revoke_token(state, ACTOR, found.id)
    await opened.grant("disabled", "admin *")
    await principals.set_flags(state, ACTOR, "disabled", is_disabled=True)
    await principals.remove(state, ACTOR, "removed", "user")


async def add_bearers(world: World) -> None:
    """Access tokens as wide as a client could ask for."""
    for caller in CALLERS:
        if caller.label in (*BY_BEARER, "anonymous token"):
            for name in ("", *REPOSITORIES):
                scopes = (f"repository:{name}:pull,push,delete", "registry:catalog:*")
                headers = world.headers[caller.label]
                world.bearers[caller.label, name] = await world.opened.bearer(headers, *scopes)


def cells(world: World) -> list[Cell]:
    """Every cell; those that delete come last."""
    found = []
    for caller in CALLERS:
        for way in ("basic", "bearer") if caller.label in BY_BEARER else ("basic",):
            for (method, path), need in NEEDS.items():
                methods = (method, "HEAD") if method == "GET" else (method,)
                for name in REPOSITORIES if "{name}" in path else ("",):
                    for target, body in forms(world, caller, method, path, name):
                        found += [
                            Cell(caller, way, need, each, target, name, body) for each in methods
                        ]
    return sorted(set(found), key=lambda cell: (cell.method == "DELETE", str(cell)))


def forms(
    world: World, caller: Caller, method: str, path: str, name: str
) -> Iterator[tuple[str, bytes]]:
    """Each target and body of an endpoint."""
    path = path.replace("{name}", name)
    if "{session}" in path:
        for session in (*world.sessions.values(), "00000000-0000-4000-8000-000000000000", "x"):
            whole = f"?digest={Digest.of(HALF)}" if method == "PUT" else ""
            yield path.replace("{session}", session) + whole, b"evil" if method == "PATCH" else b""
    elif "{reference}" in path and method == "PUT":
        manifest = a_manifest(caller)
        own = Digest.of(manifest)
        for reference in ("latest", f"new-{caller.name}", str(own), f"{own}?tag=latest&tag=b"):
            yield path.replace("{reference}", reference), manifest
        yield path.replace("{reference}", "latest"), b"{"
    elif "{reference}" in path:
        for reference in ("latest", "absent", str(IMAGE.digest), str(UNKNOWN)):
            yield path.replace("{reference}", reference), b""
    elif "{digest}" in path:
        for digest in (Digest.of(LOOSE), IMAGE.digest, UNKNOWN):
            yield path.replace("{digest}", str(digest)), b""
    elif path.endswith("/uploads/"):
        mount = f"?mount={Digest.of(SECRET)}"
        sources = ("other/app", "other/absent", "team/app", "Not A Name")
        for query in ("", mount, *(f"{mount}&from={source}" for source in sources)):
            yield path + query, b""
        yield f"{path}?digest={Digest.of(b'evil')}", b"evil"
    else:
        yield path, b""


def a_manifest(caller: Caller) -> bytes:
    """An index of no images, another one for each caller: who pushes it moves the tag."""
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}
    return json.dumps({**document, "annotations": {"of": caller.label}}).encode()


def expected(cell: Cell) -> set[int]:
    """The statuses of an allowed cell that are told apart; empty for any but a refusal."""
    if "/uploads/" in cell.path and not cell.path.partition("?")[0].endswith("/uploads/"):
        return {404}  # a session of somebody else
    source = cell.path.partition("&from=")[2]
    if source and not may(cell.caller, "pull", source):
        return {202}
    if "?mount=" in cell.path:
        # Other cells mount the blob into other repositories meanwhile.
        return {201} if source == "other/app" else {201, 202}
    is_move = cell.method == "PUT" and "latest" in cell.path and cell.body != b"{"
    if is_move and cell.name in PRESENT:
        return {201} if may(cell.caller, "push", cell.name) else {409}
    return set()


TABLES = (
    *("repositories", "uploads", "blobs", "repo_blobs", "manifests", "manifest_edges", "tags"),
    *("tag_history", "trash", "trash_manifests", "audit", "principals", "grants", "members"),
)


async def test_az_1_every_cell_is_refused_or_not_as_the_oracle_says(world: World) -> None:
    found = cells(world)
    before = await rows(world.opened, *TABLES)
    wrong, seen = [], {}

    for cell in found:
        if not cell.is_allowed:
            answer = await world.send(cell)
            if answer.status_code != 401:
                wrong.append(f"{cell}: {answer.status_code}, expected 401")
            seen[cell] = as_seen(cell, answer)
    assert not wrong
    assert await rows(world.opened, *TABLES) == before, "a refusal has changed something"
    assert seen_differently(seen) == []
    for cell in found:
        if cell.is_allowed:
            answer = await world.send(cell)
            statuses = expected(cell)
            if answer.status_code in (401, 403, 429, 500) or (
                statuses and answer.status_code not in statuses
            ):
                wrong.append(f"{cell}: {answer.status_code}, expected {statuses or 'no refusal'}")
            await cancel(world, answer)

    assert not wrong
    assert len(found) > 2000
    await check_victim(world)


def as_seen(cell: Cell, answer: httpx2.Response) -> tuple[int, str, str]:
    """An answer without the repository's name and the numbers of the request."""
    # The length is that of the body, and so the name's.
    of_the_request = ("x-request-id", "content-length")
    headers = {name: text for name, text in answer.headers.items() if name not in of_the_request}
    return (
        answer.status_code,
        json.dumps(headers).replace(cell.name or "-", "NAME"),
        answer.text.replace(cell.name or "-", "NAME"),
    )


def seen_differently(seen: dict[Cell, tuple[int, str, str]]) -> list[str]:
    """Cells where a repository that may not be seen answers otherwise than an absent one."""
    by_form: dict[tuple[object, ...], set[tuple[int, str, str]]] = {}
    for cell, answer in seen.items():
        if cell.name and not may(cell.caller, "see", cell.name):
            form = cell.path.replace(cell.name, "NAME", 1)
            by_form.setdefault((cell.caller, cell.way, cell.method, form), set()).add(answer)
    assert len(by_form) > 500
    return [f"{form}: {answers}" for form, answers in by_form.items() if len(answers) > 1]


async def cancel(world: World, answer: httpx2.Response) -> None:
    """Cancel an upload that a cell began, so that its caller does not come to their limit."""
    location = answer.headers.get("location", "")
    if answer.status_code == 202 and "/uploads/" in location:
        headers = {"Authorization": answer.request.headers.get("Authorization", "")}
        gone = await world.opened.client.delete(location, headers=headers)
        assert gone.status_code == 204, "the caller's own session"


async def check_victim(world: World) -> None:
    """Rule AZ-7: the uploads of another identity go on where they stopped."""
    for name, session in world.sessions.items():
        location = f"/v2/{name}/blobs/uploads/{session}"
        found = await world.opened.client.get(location, headers=world.victim)
        assert found.headers["range"] == f"0-{len(HALF) - 1}"
        query = {"digest": str(Digest.of(HALF + b"."))}
        done = await world.opened.client.put(
            location, params=query, content=b".", headers=world.victim
        )
        assert done.status_code == 201


def test_az_1_the_matrix_has_every_endpoint() -> None:
    assert {(endpoint.method, endpoint.path) for endpoint in ENDPOINTS} == set(NEEDS)


async def test_a_client_that_asks_for_the_challenges_scope_may_do_as_much_as_by_basic(
    world: World,
) -> None:
    got: dict[tuple[str, str], Headers] = {}
    wrong, count = [], 0

    for cell in cells(world):
        if cell.way != "bearer" or cell.name not in ("team/app", "other/app", "other/absent"):
            continue
        asked = await world.opened.client.request(cell.method, cell.path, content=cell.body)
        (challenge,) = parse_challenge(asked.headers["www-authenticate"])
        key = cell.caller.label, challenge.parameters["scope"]
        if key not in got:
            got[key] = await world.opened.bearer(world.headers[key[0]], key[1])
        world.bearers[cell.caller.label, cell.name] = got[key]
        answer = await world.send(cell)
        await cancel(world, answer)
        count += 1
        if (answer.status_code != 401) != cell.is_allowed:
            wrong.append(f"{cell}: {answer.status_code} with {key[1]}")

    assert asked.status_code == 401
    assert not wrong
    assert count > 500


async def test_az_8_the_catalog_has_the_repositories_that_a_caller_may_see(world: World) -> None:
    wrong = []

    for caller in CALLERS:
        if not may(caller, "signed in", ""):
            continue
        for way in ("basic", "bearer") if caller.label in BY_BEARER else ("basic",):
            cell = Cell(caller, way, "signed in", "GET", "/v2/_catalog")
            visible = sorted(name for name in PRESENT if may(caller, "see", name))
            for n in range(1, 7):
                names = await pages(world, cell, n)
                if names != visible:
                    wrong.append(f"{cell} by {n}: {names}, expected {visible}")

    assert not wrong


async def pages(world: World, cell: Cell, n: int) -> list[str]:
    """The names of every page; none may be longer than ``n``."""
    names: list[str] = []
    path = f"/v2/_catalog?n={n}"
    while path:
        answer = await world.send(cell._replace(path=path))
        page = answer.json()["repositories"]
        assert len(page) <= n
        names += page
        following = re.match("<(.+)>", answer.headers.get("link", ""))
        path = following[1] if following else ""
    return names


async def test_explain_says_what_the_oracle_says(world: World) -> None:
    state = world.opened.state
    authorization = Authorization(state.database, state.clock, None)
    wrong, count = [], 0

    for caller in CALLERS:
        if caller.label in ("expired", "revoked", "removed", "narrowed", "without credentials"):
            continue
        for name in REPOSITORIES:
            for need in ("see", *LEVELS):
                decision = await grants.explain(
                    state,
                    authorization,
                    caller.name or "anonymous",
                    cast(Access, need),
                    RepositoryName.parse(name),
                )
                count += 1
                if decision.is_allowed != may(caller, need, name):
                    wrong.append(f"{caller.label} {need} {name}: {decision.reason}")

    assert not wrong
    assert count > 500
