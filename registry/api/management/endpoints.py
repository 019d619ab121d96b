"""ENDPOINTS: every row of the management API."""

from __future__ import annotations

from collections.abc import Sequence

from registry.api.management.accounts import (
    list_own_tokens,
    mint_own_token,
    revoke_own_token,
    show_me,
)
from registry.api.management.endpoint import PREFIX, Endpoint, Handler, Needs, Parameter
from registry.api.management.groups import (
    add_member,
    delete_group,
    get_group,
    list_groups,
    remove_member,
    replace_group,
)
from registry.api.management.openapi import show_document
from registry.api.management.permissions import (
    ACTIONS,
    explain,
    list_grants,
    list_locks,
    remove_grant,
    remove_lock,
    replace_grant,
    replace_lock,
    show_lock,
)
from registry.api.management.requests import MAX_PAGE
from registry.api.management.robots import (
    delete_robot,
    list_robot_tokens,
    list_robots,
    mint_robot_token,
    replace_robot,
    revoke_robot_token,
    show_robot,
)
from registry.api.management.users import (
    delete_user,
    list_users,
    patch_user,
    replace_user,
    show_user,
)

_LIMIT = Parameter(
    "limit", "The most items of a page.", {"type": "integer", "minimum": 1, "maximum": MAX_PAGE}
)
_AFTER = Parameter("after", "The next of the page before.")
_PAGE = (_LIMIT, _AFTER)
_PATTERN = Parameter("pattern", "A repository's name, a prefix such as team/*, or *.",
                     is_required=True)  # fmt: skip
_EXPLAIN = (
    Parameter("who", "A user, robot or group; without it the caller."),
    Parameter("action", "The access.", {"type": "string", "enum": list(ACTIONS)}, is_required=True),
    Parameter("repository", "A repository's name.", is_required=True),
    Parameter("tag", "A tag that would be moved or deleted."),
)


def listing(
    path: str, needs: Needs, handler: Handler, summary: str, schema: str, *more: Parameter
) -> Endpoint:
    refusals = (404,) if more or "{" in path else ()
    return Endpoint(
        "GET", PREFIX + path, needs, handler, summary, {200: schema}, refusals, (*more, *_PAGE)
    )


def showing(
    path: str, needs: Needs, handler: Handler, summary: str, schema: str, hidden: str = ""
) -> Endpoint:
    return Endpoint(
        "GET", PREFIX + path, needs, handler, summary, {200: schema}, (404,), hidden=hidden
    )


def putting(
    path: str,
    needs: Needs,
    handler: Handler,
    summary: str,
    schema: str,
    body: str,
    *query: Parameter,
) -> Endpoint:
    answers, refusals = {200: schema, 201: schema}, (404, 409, 412)
    return Endpoint("PUT", PREFIX + path, needs, handler, summary, answers, refusals, query, body)


def minting(path: str, needs: Needs, handler: Handler, summary: str, hidden: str = "") -> Endpoint:
    answers = {201: "MintedToken"}
    return Endpoint(
        "POST",
        PREFIX + path,
        needs,
        handler,
        summary,
        answers,
        (404, 409),
        body="TokenBody",
        hidden=hidden,
    )


def deleting(
    path: str,
    needs: Needs,
    handler: Handler,
    summary: str,
    *query: Parameter,
    hidden: str = "",
) -> Endpoint:
    return Endpoint(
        "DELETE",
        PREFIX + path,
        needs,
        handler,
        summary,
        {204: ""},
        (404, 409, 412),
        query,
        hidden=hidden,
    )


ENDPOINTS: Sequence[Endpoint] = (
    Endpoint(
        "GET", f"{PREFIX}/openapi.json", "nothing", show_document, "This document", {200: "OpenAPI"}
    ),
    showing("/me", "identity", show_me, "The caller", "Me"),
    listing("/me/tokens", "user", list_own_tokens, "The caller's tokens", "TokenPage"),
    minting("/me/tokens", "user", mint_own_token, "Mint a token for the caller"),
    deleting("/me/tokens/{id}", "user", revoke_own_token, "Revoke a token of the caller's"),
    listing("/users", "owner", list_users, "The users", "UserPage"),
    showing("/users/{user}", "owner", show_user, "A user", "User", "user"),
    putting("/users/{user}", "owner", replace_user, "Add or replace a user", "User", "UserBody"),
    Endpoint(
        "PATCH",
        f"{PREFIX}/users/{{user}}",
        "owner",
        patch_user,
        "Change a user",
        {200: "User"},
        (404, 409, 412),
        body="UserPatch",
        hidden="user",
    ),
    deleting("/users/{user}", "owner", delete_user, "Remove a user", hidden="user"),
    listing("/groups", "owner", list_groups, "The groups", "GroupPage"),
    showing("/groups/{group}", "owner", get_group, "A group", "GroupWithMembers", "group"),
    putting(
        "/groups/{group}", "owner", replace_group, "Add a group", "GroupWithMembers", "GroupBody"
    ),
    deleting("/groups/{group}", "owner", delete_group, "Remove a group", hidden="group"),
    Endpoint(
        "PUT",
        f"{PREFIX}/groups/{{group}}/members/{{member}}",
        "owner",
        add_member,
        "Add a user or robot to a group",
        {204: ""},
        (404, 409),
        hidden="group",
    ),
    deleting(
        "/groups/{group}/members/{member}",
        "owner",
        remove_member,
        "Remove a member from a group",
        hidden="group",
    ),
    listing("/robots", "admin", list_robots, "The robots within the caller's reach", "RobotPage"),
    showing("/robots/{robot}", "admin", show_robot, "A robot", "Robot", "robot"),
    putting(
        "/robots/{robot}", "admin", replace_robot, "Add or replace a robot", "Robot", "RobotBody"
    ),
    deleting("/robots/{robot}", "admin", delete_robot, "Remove a robot", hidden="robot"),
    Endpoint(
        "GET",
        f"{PREFIX}/robots/{{robot}}/tokens",
        "admin",
        list_robot_tokens,
        "A robot's tokens",
        {200: "TokenPage"},
        (404,),
        _PAGE,
        hidden="robot",
    ),
    minting(
        "/robots/{robot}/tokens", "admin", mint_robot_token, "Mint a token for a robot", "robot"
    ),
    deleting(
        "/robots/{robot}/tokens/{id}",
        "admin",
        revoke_robot_token,
        "Revoke a robot's token",
        hidden="robot",
    ),
    listing(
        "/grants",
        "admin",
        list_grants,
        "The grants within the caller's reach",
        "GrantPage",
        Parameter("who", "A user, robot, group, everyone or anonymous."),
    ),
    putting(
        "/grants/{who}",
        "admin",
        replace_grant,
        "Give a role on a pattern, in place of the one before",
        "Grant",
        "GrantBody",
        _PATTERN,
    ),
    deleting("/grants/{who}", "admin", remove_grant, "Take the role on a pattern", _PATTERN),
    listing("/locks", "admin", list_locks, "The locks within the caller's reach", "LockPage"),
    showing("/locks/{lock}", "admin", show_lock, "A lock of tags", "Lock", "lock"),
    putting("/locks/{lock}", "admin", replace_lock, "Add or replace a lock", "Lock", "LockBody"),
    deleting("/locks/{lock}", "admin", remove_lock, "Remove a lock", hidden="lock"),
    Endpoint(
        "GET",
        f"{PREFIX}/access/explain",
        "identity",
        explain,
        "The steps of a decision",
        {200: "Explanation"},
        (403, 404),
        _EXPLAIN,
    ),
)
