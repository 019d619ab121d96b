"""Schemas: the bodies and documents of the management API, as JSON Schema.

https://json-schema.org/draft/2020-12/json-schema-core
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from registry.api.management.endpoint import Schema
from registry.auth.patterns import MAX_LENGTH as MAX_PATTERN
from registry.auth.roles import Role
from registry.services.identity.grants import MAX_GRANTS
from registry.services.identity.tokens import MAX_LABEL, MAX_LIFE_MS

_TEXT = {"type": "string"}
_FLAG = {"type": "boolean"}
_COUNT = {"type": "integer"}
_TIME = {"type": "string", "format": "date-time"}
_MAYBE_TIME = {"type": ["string", "null"], "format": "date-time"}
_MAYBE_TEXT = {"type": ["string", "null"]}
_PATTERN = {"type": "string", "maxLength": MAX_PATTERN}
_ROLE = {"type": "string", "enum": [str(role) for role in Role]}
_CREATED = {"created_at": _TIME, "created_by": _TEXT}


def reference(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def array(name: str, **limits: int) -> dict[str, Any]:
    return {"type": "array", "items": reference(name), **limits}


def document(**members: Schema) -> dict[str, Any]:
    """An object that has all of these members."""
    return {**body(**members), "required": list(members)}


def body(*required: str, **members: Schema) -> dict[str, Any]:
    """An object that has no other members."""
    return {
        "type": "object",
        "properties": members,
        "required": list(required),
        "additionalProperties": False,
    }


def page(name: str) -> dict[str, Any]:
    """One page of a list; ``next`` is the ``after`` of the next one."""
    return document(items=array(name), next=_MAYBE_TEXT)


_PERMISSION = document(role=_ROLE, pattern=_PATTERN)
_TOKEN: dict[str, Schema] = {
    "id": _TEXT,
    "principal": _TEXT,
    "label": _TEXT,
    "limits": {"anyOf": [array("Permission"), {"type": "null"}]},
    **_CREATED,
    "expires_at": _MAYBE_TIME,
    "last_used_at": _MAYBE_TIME,
    "last_used_from": _MAYBE_TEXT,
}
_FLAGS = {"is_owner": _FLAG, "is_auditor": _FLAG, "is_disabled": _FLAG}
_ROBOT: dict[str, Schema] = {
    "name": _TEXT,
    "is_disabled": _FLAG,
    "grants": array("Permission"),
    **_CREATED,
}
_STEP = document(name=_TEXT, passed=_FLAG, text=_TEXT)

SCHEMAS: Mapping[str, Schema] = {
    "OpenAPI": {"type": "object"},
    "Permission": _PERMISSION,
    "HeldGrant": document(role=_ROLE, pattern=_PATTERN, held_by=_TEXT),
    "Me": document(
        name=_TEXT,
        kind={"type": "string", "enum": ["user", "robot"]},
        is_owner=_FLAG,
        is_auditor=_FLAG,
        groups={"type": "array", "items": _TEXT},
        grants=array("HeldGrant"),
        token=_MAYBE_TEXT,
        limits={"anyOf": [array("Permission"), {"type": "null"}]},
    ),
    "User": document(name=_TEXT, **_FLAGS, has_password=_FLAG, **_CREATED),
    "UserBody": body(**_FLAGS, password=_TEXT),
    "UserPatch": body(**_FLAGS, password=_MAYBE_TEXT),
    "UserPage": page("User"),
    "Group": document(name=_TEXT, **_CREATED),
    "GroupWithMembers": document(name=_TEXT, members={"type": "array", "items": _TEXT}, **_CREATED),
    "GroupBody": body(),
    "GroupPage": page("Group"),
    "Robot": document(**_ROBOT),
    "RobotBody": body("grants", grants=array("Permission", maxItems=MAX_GRANTS), is_disabled=_FLAG),
    "RobotPage": page("Robot"),
    "Token": document(**_TOKEN),
    "TokenPage": page("Token"),
    "TokenBody": body(
        label={"type": "string", "maxLength": MAX_LABEL},
        limits=array("Permission", minItems=1, maxItems=MAX_GRANTS),
        expires_in={"type": "integer", "minimum": 1, "maximum": MAX_LIFE_MS // 1000},
    ),
    "MintedToken": document(id=_TEXT, principal=_TEXT, secret=_TEXT, expires_at=_MAYBE_TIME),
    "Grant": document(who=_TEXT, kind=_TEXT, role=_ROLE, pattern=_PATTERN, **_CREATED),
    "GrantBody": body("role", role=_ROLE),
    "GrantPage": page("Grant"),
    "Lock": document(name=_TEXT, pattern=_PATTERN, tags=_TEXT, **_CREATED),
    "LockBody": body("pattern", "tags", pattern=_PATTERN, tags=_TEXT),
    "LockPage": page("Lock"),
    "Explanation": document(
        who=_TEXT,
        action=_TEXT,
        repository=_TEXT,
        tag=_MAYBE_TEXT,
        is_allowed=_FLAG,
        reason=_TEXT,
        steps={"type": "array", "items": _STEP},
    ),
    "FieldProblem": document(pointer=_TEXT, detail=_TEXT),
    "Problem": {
        **body(
            "type",
            "title",
            "status",
            "detail",
            "instance",
            type=_TEXT,
            title=_TEXT,
            status=_COUNT,
            detail=_TEXT,
            instance=_TEXT,
            errors=array("FieldProblem"),
        )
    },
}
