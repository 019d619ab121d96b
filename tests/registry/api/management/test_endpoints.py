"""The table against an oracle: each identity at each endpoint, within team/* and beyond it."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from registry.api.management.endpoint import PREFIX, Endpoint
from registry.api.management.endpoints import ENDPOINTS
from registry.auth.globs import Glob
from registry.auth.patterns import Pattern
from registry.auth.roles import Role
from registry.services.identity import principals, tokens
from registry.services.identity.identity import Identity
from registry.services.management.permissions import write_lock
from registry.services.management.robots import put_robot
from tests.support.registry.identified import (
    ACTOR,
    Headers,
    Identified,
    basic,
    identified,
    secret_of,
)
from tests.support.registry.managed import Managed

SIDES = ("team", "other")
# The identities that are nobody here, and those that have a pattern of their own.
NOBODIES = ("anonymous", "wrong", "access token", "disabled", "revoked", "removed")
LEADS = ("lead", "lead robot")
IDENTITIES = (
    *NOBODIES, *LEADS, "owner", "narrowed owner", "narrowed lead", "reader", "auditor", "robot",
)  # fmt: skip
OF_THINGS = ("/users/", "/groups/", "/robots/", "/locks/")


class World:
    """One registry with the things that each cell is about, made again after it."""

    def __init__(self, opened: Identified) -> None:
        self.opened = opened
        self.managed = Managed(opened)
        self.headers: dict[str, Headers | None] = {}
        self.ids: dict[str, str] = {}

    async def begin(self) -> None:
        opened, found = self.opened, self.headers
        found["anonymous"] = None
        owner = found["owner"] = await opened.user("owner-user", is_owner=True)
        found["access token"] = await opened.bearer(owner, "registry:catalog:*")
        found["narrowed owner"] = await opened.token("owner-user", "admin *")
        lead = found["lead"] = await opened.user("lead-user", "admin team/*", "push *")
        # A token with another's name: it is no guess at a password, which would have to wait.
        found["wrong"] = basic("owner-user", secret_of(lead))
        found["narrowed lead"] = await opened.token("lead-user", "admin team/*")
        found["reader"] = await opened.user("reader-user", "maintain team/*")
        found["auditor"] = await opened.user("auditor-user", is_auditor=True)
        found["robot"] = await opened.robot("robot-robot", "maintain team/*")
        found["lead robot"] = await opened.robot("lead-robot", "admin team/*")
        found["disabled"] = await opened.user("disabled-user", is_owner=True)
        await principals.set_flags(opened.state, ACTOR, "disabled-user", is_disabled=True)
        revoked = found["revoked"] = await opened.token("owner-user")
        await tokens.revoke_token(opened.state, ACTOR, secret_of(revoked).split("_")[1])
        found["removed"] = await opened.user("removed-user", is_owner=True)
        await principals.remove(opened.state, ACTOR, "removed-user", "user")

    async def restore(self) -> None:
        """Make the things that the cells are about, where they are missing."""
        state = self.opened.state
        operator = await self.identity("owner-user")
        for side in SIDES:
            for name, kind in ((f"{side}-user", "user"), (f"{side}-group", "group")):
                listed = await principals.list_principals(state, None)
                if name in [each.name for each in listed]:
                    continue
                if kind == "user":
                    await principals.add_user(state, ACTOR, name, password=None)
                else:
                    await principals.add_group(state, ACTOR, name)
            await principals.add_member(state, ACTOR, f"{side}-group", f"{side}-user")
            pattern = Pattern.parse(f"{side}/app")
            await put_robot(
                state, operator, f"{side}-robot", [(Role.PUSH, pattern)], is_disabled=False
            )
            for each in await tokens.list_tokens(state, f"{side}-robot"):
                await tokens.revoke_token(state, ACTOR, each.id)
            minted = await tokens.mint_token(
                state, ACTOR, f"{side}-robot", label="", limits=None, life_ms=None
            )
            self.ids[side] = minted.secret.id
            await write_lock(state, operator, f"{side}-lock", pattern, Glob.parse("v*"))
            await self.opened.grant(f"{side}-user", f"pull {side}/app")

    async def identity(self, name: str) -> Identity:
        found = await principals.show(self.opened.state, name, None)
        return Identity(found.id, found.name)

    async def own_token(self, identity: str) -> str:
        """The id of another token of the caller's; any text for one without an account."""
        headers = self.headers[identity]
        if headers is None or identity in NOBODIES:
            return "0" * 12
        decoded = base64.b64decode(headers["Authorization"].removeprefix("Basic ")).decode()
        holder = decoded.partition(":")[0]
        for each in await tokens.list_tokens(self.opened.state, holder):
            if each.label == "spare":
                await tokens.revoke_token(self.opened.state, ACTOR, each.id)
        minted = await tokens.mint_token(
            self.opened.state, ACTOR, holder, label="spare", limits=None, life_ms=None
        )
        return minted.secret.id

    async def ask(self, identity: str, endpoint: Endpoint, side: str) -> tuple[int, str]:
        path = endpoint.path.removeprefix(PREFIX)
        token = await self.own_token(identity) if path == "/me/tokens/{id}" else self.ids[side]
        path = path.format(
            id=token,
            user=f"{side}-user",
            group=f"{side}-group",
            member=f"{side}-user",
            robot=f"{side}-robot",
            lock=f"{side}-lock",
            who=f"{side}-user",
        )
        answer = await self.managed.call(
            endpoint.method, path, self.headers[identity], body_of(endpoint, side),
            params=query_of(endpoint, side),
        )  # fmt: skip
        return answer.status_code, answer.text


def body_of(endpoint: Endpoint, side: str) -> object:
    bodies: dict[str, object] = {
        "UserBody": {"is_auditor": False},
        "UserPatch": {"is_disabled": False},
        "GroupBody": {},
        "RobotBody": {"grants": [{"role": "push", "pattern": f"{side}/app"}]},
        "TokenBody": {"label": "spare"},
        "GrantBody": {"role": "pull"},
        "LockBody": {"pattern": f"{side}/app", "tags": "v*"},
    }
    return bodies[endpoint.body] if endpoint.body else None


def query_of(endpoint: Endpoint, side: str) -> dict[str, str]:
    if endpoint.path.endswith("/explain"):
        return {"who": f"{side}-user", "action": "pull", "repository": f"{side}/app"}
    if endpoint.path.endswith("/{who}"):
        return {"pattern": f"{side}/app"}
    return {}


def success(endpoint: Endpoint) -> int:
    """The things are there: PUT replaces, POST makes."""
    return {"POST": 201, "DELETE": 204}.get(
        endpoint.method, 204 if "/members/" in endpoint.path else 200
    )


def expected(identity: str, endpoint: Endpoint, side: str) -> int:
    """The oracle: by the path alone, and not by the columns of the table."""
    path, method = endpoint.path.removeprefix(PREFIX), endpoint.method
    if path == "/openapi.json":
        return 200
    if identity in NOBODIES:
        return 401
    if path == "/me":
        return 200
    reaches = identity == "owner" or (identity in LEADS and side == "team")
    if path == "/access/explain":
        # A token for admin on all repositories is enough to explain: that changes nothing.
        by_limits = identity == "narrowed owner" or (identity == "narrowed lead" and side == "team")
        return 200 if reaches or by_limits else 403
    if identity.startswith("narrowed"):
        return 403
    if path.startswith("/me/tokens"):
        return 403 if "robot" in identity else success(endpoint)
    if identity == "owner":
        return success(endpoint)
    is_thing = "{" in path and path.startswith(OF_THINGS)
    # PUT tells nothing of the thing; a member's does, for its group is there already.
    is_hidden = is_thing and (method != "PUT" or "/members/" in path)
    if identity in LEADS and not path.startswith(("/users", "/groups")):
        if reaches or "{" not in path:
            return success(endpoint)
        return 404 if is_hidden else 403
    return 404 if is_hidden else 403


async def test_each_identity_may_do_at_each_endpoint_as_much_as_the_oracle_says(
    root: Path,
) -> None:
    wrong, cells = [], 0
    async with identified(root) as opened:
        world = World(opened)
        await world.begin()
        await world.restore()
        for endpoint in ENDPOINTS:
            for identity in IDENTITIES:
                for side in SIDES:
                    status, text = await world.ask(identity, endpoint, side)
                    cells += 1
                    if status != expected(identity, endpoint, side):
                        wrong.append((identity, endpoint.method, endpoint.path, side, status, text))
                    if endpoint.method != "GET" and status < 300:
                        await world.restore()

    assert wrong == []
    assert cells == len(ENDPOINTS) * len(IDENTITIES) * len(SIDES) > 800


def test_each_method_of_a_path_is_there_once_and_below_the_prefix() -> None:
    keys = [(endpoint.method, endpoint.path) for endpoint in ENDPOINTS]

    assert len(keys) == len(set(keys)) > 30
    assert all(path.startswith(f"{PREFIX}/") for _, path in keys)


def test_only_the_document_needs_nobody_to_sign_in() -> None:
    opened = [endpoint.path for endpoint in ENDPOINTS if endpoint.needs == "nothing"]

    assert opened == [f"{PREFIX}/openapi.json"]


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda row: f"{row.method} {row.path}")
def test_each_write_has_its_body_and_each_hidden_thing_is_in_the_path(endpoint: Endpoint) -> None:
    takes: Any = endpoint.method in ("PUT", "POST", "PATCH") and "/members/" not in endpoint.path

    assert bool(endpoint.body) is takes
    assert not endpoint.hidden or f"{{{endpoint.hidden}}}" in endpoint.path
