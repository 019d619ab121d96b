"""The commands on the audit: list, export, verify; of a registry in use and of a stopped one."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import asdict

from registry.admin.command import Command, Document, Stopped
from registry.admin.open_registry import OpenRegistry
from registry.auth.globs import Glob
from registry.auth.patterns import Pattern
from registry.errors import Invalid
from registry.services.operator.audit import Audit, Selection
from registry.services.operator.stopped import StoppedRegistry

Documents = AsyncGenerator[Document, None]

DEFAULT_LIMIT = 100


async def show(
    audit: Audit,
    since_ms: int | None = None,
    who: str | None = None,
    action: str | None = None,
    repository: str | None = None,
    limit: int = DEFAULT_LIMIT,
) -> Documents:
    """Yield rows, newest first, many in a document."""
    try:
        selection = Selection(
            since_ms,
            who,
            None if action is None else Glob.parse(action),
            None if repository is None else Pattern.parse(repository),
        )
    except ValueError as error:
        raise Invalid(str(error)) from None
    async for batch in audit.newest(selection, limit):
        yield {"rows": [asdict(row) for row in batch]}


async def export(audit: Audit, since_ms: int | None = None) -> Documents:
    """Yield rows, oldest first, each with the hash before it, many in a document."""
    async for batch in audit.export(since_ms):
        yield {"rows": batch}


async def verify(audit: Audit, head: str | None = None) -> Documents:
    """Verify the chain; yields the count of its rows and its head."""
    yield asdict(await audit.verify(head))


def reading(run: Callable[..., Documents], arguments: dict[str, type]) -> Command:
    """A command that only reads rows: of a server, or of a root that none uses."""

    def opened_form(opened: OpenRegistry, **given: object) -> Documents:
        return run(Audit(opened.state.database.operator, opened.state.clock), **given)

    def stopped_form(stopped: StoppedRegistry, **given: object) -> Documents:
        return run(Audit(stopped.rows, stopped.clock), **given)

    return Command(opened_form, arguments, Stopped(stopped_form, lambda *_: True))


LIST = reading(show, {"since_ms": int, "who": str, "action": str, "repository": str, "limit": int})
EXPORT = reading(export, {"since_ms": int})
VERIFY = reading(verify, {"head": str})
