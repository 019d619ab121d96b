"""The commands on users, groups, robots and their tokens; and the first owner."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from registry.admin.command import OPERATOR, Document
from registry.admin.open_registry import OpenRegistry
from registry.auth.decision import Narrowing
from registry.auth.htpasswd import HtpasswdEntry
from registry.auth.patterns import Pattern
from registry.auth.roles import Role
from registry.errors import Invalid
from registry.services.identity import principals, tokens
from registry.services.identity.principals import Principal
from registry.services.identity.tokens import MintedToken, StoredToken

Documents = AsyncGenerator[Document, None]


async def set_up(opened: OpenRegistry, name: str, password: str) -> Documents:
    """Add the first owner."""
    await principals.add_user(
        opened.state, OPERATOR, name, password=password, is_owner=True, is_first=True
    )
    yield {"name": name, "kind": "user"}


async def add_user(
    opened: OpenRegistry,
    name: str,
    password: str | None = None,
    owner: bool = False,
    auditor: bool = False,
) -> Documents:
    await principals.add_user(
        opened.state, OPERATOR, name, password=password, is_owner=owner, is_auditor=auditor
    )
    yield {"name": name, "kind": "user"}


async def import_users(opened: OpenRegistry, entries: Sequence[Sequence[str]]) -> Documents:
    """Add users of an htpasswd file, given as pairs of a name and a hash."""
    try:
        parsed = [HtpasswdEntry(name, found) for name, found in entries]
    except (TypeError, ValueError):
        raise Invalid("entries are expected as pairs of a name and a hash") from None
    await principals.import_users(opened.state, OPERATOR, parsed)
    for entry in parsed:
        yield {"name": entry.name, "kind": "user"}


async def set_password(opened: OpenRegistry, name: str, password: str) -> Documents:
    await principals.set_password(opened.state, OPERATOR, name, password)
    yield {"name": name}


async def change_user(
    opened: OpenRegistry,
    name: str,
    disabled: bool | None = None,
    owner: bool | None = None,
    auditor: bool | None = None,
) -> Documents:
    await principals.set_flags(
        opened.state,
        OPERATOR,
        name,
        is_disabled=disabled,
        is_owner=owner,
        is_auditor=auditor,
    )
    yield document(await principals.show(opened.state, name, None))


async def list_users(opened: OpenRegistry) -> Documents:
    for found in await principals.list_principals(opened.state, "user"):
        yield document(found)


async def remove_user(opened: OpenRegistry, name: str) -> Documents:
    await principals.remove(opened.state, OPERATOR, name, "user")
    yield {"name": name}


async def add_group(opened: OpenRegistry, name: str) -> Documents:
    await principals.add_group(opened.state, OPERATOR, name)
    yield {"name": name, "kind": "group"}


async def list_groups(opened: OpenRegistry) -> Documents:
    for found in await principals.list_principals(opened.state, "group"):
        members = (await principals.members(opened.state, found.name)).members
        yield {**document(found), "members": list(members)}


async def remove_group(opened: OpenRegistry, name: str) -> Documents:
    await principals.remove(opened.state, OPERATOR, name, "group")
    yield {"name": name}


async def add_member(opened: OpenRegistry, name: str, member: str) -> Documents:
    is_new = await principals.add_member(opened.state, OPERATOR, name, member)
    yield {"name": name, "member": member, "is_new": is_new}


async def remove_member(opened: OpenRegistry, name: str, member: str) -> Documents:
    await principals.remove_member(opened.state, OPERATOR, name, member)
    yield {"name": name, "member": member}


async def add_robot(
    opened: OpenRegistry,
    name: str,
    grants: Sequence[Sequence[str]] = (),
    life_ms: int | None = None,
) -> Documents:
    """Add a robot; its secret is in the document, this once."""
    minted = await tokens.add_robot(
        opened.state, OPERATOR, name, parse_grants(grants), life_ms=life_ms
    )
    yield minted_document(minted)


async def list_robots(opened: OpenRegistry) -> Documents:
    for found in await principals.list_principals(opened.state, "robot"):
        alive = await tokens.list_tokens(opened.state, found.name)
        yield {**document(found), "tokens": [token_document(each) for each in alive]}


async def remove_robot(opened: OpenRegistry, name: str) -> Documents:
    await principals.remove(opened.state, OPERATOR, name, "robot")
    yield {"name": name}


async def mint_token(
    opened: OpenRegistry,
    name: str,
    label: str = "",
    limits: Sequence[Sequence[str]] | None = None,
    life_ms: int | None = None,
) -> Documents:
    """Mint one more token; its secret is in the document, this once."""
    narrowing = None if limits is None else [Narrowing(*each) for each in parse_grants(limits)]
    minted = await tokens.mint_token(
        opened.state, OPERATOR, name, label=label, limits=narrowing, life_ms=life_ms
    )
    yield minted_document(minted)


async def list_tokens(opened: OpenRegistry, name: str | None = None) -> Documents:
    for found in await tokens.list_tokens(opened.state, name):
        yield token_document(found)


async def revoke_token(opened: OpenRegistry, id: str) -> Documents:
    yield token_document(await tokens.revoke_token(opened.state, OPERATOR, id))


def parse_grants(given: Sequence[Sequence[str]]) -> list[tuple[Role, Pattern]]:
    """Pairs of a role and a pattern; raises Invalid."""
    found = []
    for pair in given:
        try:
            role, pattern = pair
            found.append((Role.parse(role), Pattern.parse(pattern)))
        except (ValueError, TypeError, AttributeError) as error:
            raise Invalid(str(error)) from None
    return found


def document(found: Principal) -> Document:
    return {
        "name": found.name,
        "kind": found.kind,
        "is_owner": found.is_owner,
        "is_auditor": found.is_auditor,
        "has_password": found.password is not None,
        "disabled_at": found.disabled_at,
        "created_at": found.created_at,
        "created_by": found.created_by,
    }


def minted_document(minted: MintedToken) -> Document:
    return {
        "name": minted.principal,
        "id": minted.secret.id,
        "secret": minted.secret.text,
        "expires_at": minted.expires_at,
    }


def token_document(found: StoredToken) -> Document:
    limits = found.limits
    return {
        "id": found.id,
        "principal": found.principal,
        "label": found.label,
        "limits": None if limits is None else [[str(e.role), str(e.pattern)] for e in limits],
        "created_at": found.created_at,
        "created_by": found.created_by,
        "expires_at": found.expires_at,
        "last_used_at": found.last_used_at,
        "last_used_from": found.last_used_from,
    }
