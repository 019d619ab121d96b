"""The commands on repositories and tags: list, delete, size, history."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import asdict
from heapq import merge
from operator import itemgetter

from oci.reference import RepositoryName, Tag
from registry.admin.command import OPERATOR, Document
from registry.admin.open_registry import OpenRegistry
from registry.services.operator import usage
from registry.services.operator.tag_history import deletions, history
from registry.trash.repositories import delete_repository


async def show(opened: OpenRegistry) -> AsyncGenerator[Document, None]:
    """Yield every repository, ordered by name."""
    for name in (await opened.registry.names(last=None, n=None)).items:
        yield {"name": str(name)}


async def delete(opened: OpenRegistry, name: str) -> AsyncGenerator[Document, None]:
    """Delete a whole repository."""
    await delete_repository(opened.state, OPERATOR, RepositoryName.parse(name))
    yield {"name": name, "undelete_seconds": opened.settings.gc.undelete_seconds}


async def size(
    opened: OpenRegistry, name: str | None = None, tag: str | None = None
) -> AsyncGenerator[Document, None]:
    """Yield the size of every repository, of one, or of one tag."""
    if name is None:
        names = (await opened.registry.names(last=None, n=None)).items
    else:
        names = (RepositoryName.parse(name),)
    for each in names:
        if tag is None:
            found = await usage.of_repository(opened.state, each)
        else:
            found = await usage.of_tag(opened.state, each, Tag.parse(tag))
        label = str(each) if tag is None else f"{each}:{tag}"
        yield {"name": label, **asdict(found), "bytes": found.bytes}


async def tag_history(
    opened: OpenRegistry, name: str, tag: str | None = None
) -> AsyncGenerator[Document, None]:
    """Yield every change of a tag, or of all tags of a repository, oldest first.

    Deletions of the repository, which deleted all its tags, stand among them by time.
    """
    repository, parsed = RepositoryName.parse(name), None if tag is None else Tag.parse(tag)
    changes = [(each.at, asdict(each)) for each in await history(opened.state, repository, parsed)]
    deleted = [
        (each.at, {"deletion": asdict(each)}) for each in await deletions(opened.state, repository)
    ]
    for _, document in merge(changes, deleted, key=itemgetter(0)):
        yield document
