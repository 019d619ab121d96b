"""Audit: list, export and verify the rows of the audit, for the operator."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from typing import Any

from oci.document import InvalidDocument, parse_document
from registry.auth.globs import Glob
from registry.auth.patterns import Pattern
from registry.errors import CommandRefused, Invalid
from registry.storage.clock import Clock
from registry.storage.database.contract import Connection, Rows
from registry.storage.metadata import audit
from registry.storage.metadata.audit import AuditRow, chained

__all__ = ["AuditRow"]

# Rows of one read, and of one document: a millisecond of the loop.
BATCH = 200
# Rows that are read for one batch of a list, of which few may be chosen.
SCAN = 1000
# The least id that a row can have.
START = -(2**63)

_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
_TYPES = {each.name: int if each.name in ("id", "at") else str for each in fields(AuditRow)}


class ChainMismatch(CommandRefused):
    """The chain of hashes is broken, or lacks the head that it should have."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The rows of a list: of the last milliseconds, by an identity, of actions and repositories."""

    since_ms: int | None = None
    identity: str | None = None
    action: Glob | None = None
    repository: Pattern | None = None

    def matches(self, row: AuditRow) -> bool:
        """Whether action and repository are among those chosen."""
        if self.action is not None and not self.action.matches(row.action):
            return False
        return self.repository is None or (
            row.repository != "" and self.repository.matches(row.repository)
        )


@dataclass(frozen=True, slots=True)
class VerifiedChain:
    """A chain in order: its rows, the hash of its last, and the hash that its first one follows."""

    rows: int
    head: str
    begins_after: str


@dataclass(frozen=True, slots=True)
class Audit:
    """The audit of a registry, in use or stopped, to be read."""

    rows: Rows
    clock: Clock

    async def newest(self, selection: Selection, limit: int) -> AsyncIterator[list[AuditRow]]:
        """The chosen rows, newest first, in batches."""
        before: int | None = None
        since = self._cutoff(selection.since_ms)

        def unit(connection: Connection) -> tuple[list[AuditRow], int | None]:
            found = audit.newest_first(
                connection, before, since=since, identity=selection.identity, many=SCAN
            )
            chosen = [row for row in found if selection.matches(row)]
            return chosen, found[-1].id if len(found) == SCAN else None

        while limit > 0:
            chosen, before = await self.rows.read(unit)
            chosen = chosen[:limit]
            for start in range(0, len(chosen), BATCH):
                yield chosen[start : start + BATCH]
            limit -= len(chosen)
            if before is None:
                return

    async def export(self, since_ms: int | None) -> AsyncIterator[list[dict[str, Any]]]:
        """All rows from the first one of that time on, oldest first, in batches.

        Each has ``previous``, the hash of the row before: so a part of the chain verifies alone.
        """
        since = self._cutoff(since_ms)
        start = START
        if since_ms is not None:
            first = await self.rows.read(partial(audit.first_since, since=since))
            if first is None:
                return
            start = first
        previous = await self.rows.read(partial(audit.hash_before, id=start))
        while batch := await self.rows.read(partial(audit.oldest_first, start=start, many=BATCH)):
            documents = []
            for row in batch:
                documents.append({**asdict(row), "previous": previous})
                previous = row.hash
            yield documents
            start = batch[-1].id + 1
            if len(batch) < BATCH:
                return  # rows that are added meanwhile would have no end

    async def verify(self, head: str | None) -> VerifiedChain:
        """Verify the whole chain in the database; raises ChainMismatch, or Invalid for no hash."""
        chain, start = ChainCheck(parse_head(head)), START

        def unit(connection: Connection) -> tuple[ChainCheck, int | None]:
            # A unit may run again: it goes on from a copy of where the last one ended.
            walk = replace(chain)
            batch = audit.oldest_first(connection, start, SCAN)
            for row in batch:
                walk.add(row)
            return walk, batch[-1].id + 1 if len(batch) == SCAN else None

        rest: int | None = start
        while rest is not None:
            start = rest
            chain, rest = await self.rows.read(unit)
        return chain.end()

    def _cutoff(self, since_ms: int | None) -> int:
        return 0 if since_ms is None else self.clock.wall_ms() - since_ms


def verify_lines(lines: Iterable[bytes], head: str | None) -> VerifiedChain:
    """Verify an export, a row a line; raises ChainMismatch, or Invalid for what is none."""
    chain: ChainCheck | None = None
    wanted = parse_head(head)
    for number, line in enumerate(lines, 1):
        row, previous = parse_row(number, line)
        if chain is None:
            chain = ChainCheck(wanted, begins_after=previous, previous=previous)
        if previous != chain.previous:
            raise ChainMismatch(
                f"row {row.id} on line {number} follows {previous}, expected {chain.previous}, the "
                "hash of the line before: rows between them were removed, or one was altered"
            )
        chain.add(row)
    return (chain or ChainCheck(wanted)).end()


@dataclass(slots=True)
class ChainCheck:
    """A walk along the chain, oldest row first."""

    wanted: str | None
    begins_after: str = ""
    previous: str = ""
    rows: int = 0
    is_found: bool = False

    def add(self, row: AuditRow) -> None:
        """The next row; raises ChainMismatch unless its hash follows from it and the row before."""
        expected = chained(self.previous, asdict(row))
        if row.hash != expected:
            raise ChainMismatch(
                f"row {row.id} ({row.action} by {row.identity or 'nobody'}) has hash {row.hash}, "
                f"expected {expected}: it was altered, or rows before it were removed"
            )
        self.previous = row.hash
        self.rows += 1
        self.is_found = self.is_found or row.hash == self.wanted

    def end(self) -> VerifiedChain:
        """After the last row; raises ChainMismatch if the wanted head was not among them."""
        if self.wanted is not None and not self.is_found:
            raise ChainMismatch(
                f"none of {self.rows} rows has hash {self.wanted}, and the last one has "
                f"{self.previous or 'none'}: the end was cut off, or all was written anew"
            )
        return VerifiedChain(self.rows, self.previous, self.begins_after)


def parse_head(text: str | None) -> str | None:
    """Raises Invalid."""
    if text is not None and _HASH.fullmatch(text) is None:
        raise Invalid("the head is no hash of an audit row: expected 64 characters 0-9 and a-f")
    return text


def parse_row(number: int, line: bytes) -> tuple[AuditRow, str]:
    """A row of an export, and the hash before it; raises Invalid."""
    try:
        document = parse_document(line)
    except InvalidDocument:
        document = {}
    values: dict[str, Any] = {key: document.get(key) for key in _TYPES}
    previous = document.get("previous")
    if not isinstance(previous, str) or any(
        type(values[key]) is not kind for key, kind in _TYPES.items()
    ):
        raise Invalid(f"line {number}: expected a row of `registry audit export --format ndjson`")
    return AuditRow(**values), previous
