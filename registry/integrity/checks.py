"""Checks: compare the files of a root with its rows, while it is served or stopped.

Read-only.  On a served root rows and files change meanwhile: each apparent error is checked again
against the current rows.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from oci.digest import Digest
from oci.errors import OCIError
from oci.manifest import parse_manifest
from oci.reference import Tag
from registry.errors import StorageUnreadable
from registry.integrity.findings import (
    AbsentEdge,
    CorruptBlob,
    CorruptManifest,
    DanglingRows,
    Finding,
    OrphanFile,
)
from registry.services.manifest_push import edges_of
from registry.storage.blobs.contract import Pace, StoredFile, StoredFiles, unpaced
from registry.storage.blobs.file_count import FileCount
from registry.storage.database import schema
from registry.storage.database.contract import Connection, OperatorRows, T
from registry.storage.metadata import physical_names
from registry.storage.metadata.edges import Edge
from registry.storage.metadata.integrity import checks
from registry.storage.metadata.integrity.checks import BlobRow, ManifestRow, TrashedRow
from registry.storage.own_thread import in_own_thread

Problem = tuple[str, str, str]
"""Rule id, found, expected."""

Edges = tuple[Edge, ...]
"""The edges of a manifest, in order."""


# The things that are counted, in the order of the checks.
KINDS = ("blobs", "manifests", "trashed manifests", "files", "sessions")


@dataclass(frozen=True, slots=True)
class Integrity:
    """The checks of one root.  With ``deep`` they read and hash every byte."""

    database: OperatorRows
    store: StoredFiles
    deep: bool = False
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))

    async def check(self) -> AsyncIterator[Finding]:
        """Every finding, harmless ones included, as they are found."""
        parts = (self.rows, self.blobs, self.manifests, self.trash, self.files, self.sessions)
        for part in parts:
            async for finding in part():
                yield finding

    async def rows(self) -> AsyncIterator[Finding]:
        """The database alone: pages, foreign keys, rules, schema and audit."""

        def unit(connection: Connection) -> list[Finding]:
            found = [finding for rule in checks.RULES for finding in check_rule(connection, rule)]
            found += [
                Finding("I12", f"audit row {row}", "another hash", "the hash of what it says")
                for row in checks.mismatched_audit_rows(connection)
            ]
            mine, newest = schema.revisions(connection)
            if mine != newest:
                found.append(Finding("I19", "schema", repr(mine), repr(newest)))
            return found

        try:
            errors = await self.database.find_errors(deep=self.deep)
            dangling = await self.database.find_dangling_rows()
            found = [*self_check(errors, dangling), *await self.database.read(unit)]
        except StorageUnreadable as error:
            found = [Finding("I15", "database", str(error), "a database that can be read")]
        for finding in found:
            yield finding

    async def blobs(self) -> AsyncIterator[Finding]:
        """Every blob's row against its file."""
        last = ""
        while page := await self.database.read(partial(checks.blobs_after, last=last)):
            last = page[-1].digest
            self._count("blobs", len(page))
            for row, problem in await self._failing_blobs(page):
                if await self.database.read(partial(checks.is_unchanged, row=row)):
                    yield await self.blob_finding(row, problem)

    async def manifests(self) -> AsyncIterator[Finding]:
        """Every manifest's bytes against its digest and its edges."""
        last = (0, "")
        while page := await self.database.read(partial(checks.manifests_after, last=last)):
            last = (page[-1].repository_id, page[-1].digest)
            self._count("manifests", len(page))
            for row in page:
                problem = await in_own_thread(check_manifest, row, deep=self.deep)
                if problem is not None:
                    yield await self.manifest_finding(row, problem)

    async def trash(self) -> AsyncIterator[Finding]:
        """Every manifest in the trash: whether it could be undeleted."""
        last = 0
        while page := await self.database.read(partial(checks.trashed_after, last=last)):
            last = page[-1].id
            self._count("trashed manifests", len(page))
            for row in page:
                problem = await in_own_thread(check_trashed, row, deep=self.deep)
                if problem is not None:
                    yield Finding(problem[0], f"trash {row.repository}@{row.digest}", *problem[1:])

    async def files(self) -> AsyncIterator[Finding]:
        """Every file, listed before its row is looked for: a push must not look like an orphan."""
        counted = FileCount()
        for part in range(self.store.parts):
            try:
                async for listed in self.store.listing(part):
                    orphans = await self._orphans(listed, counted)
                    self._count("files", len(listed))
                    for file in orphans:
                        yield unknown_file(file) if file.kind == "unknown" else orphan_file(file)
            except StorageUnreadable as error:
                found = f"not readable: {error.reason}"
                yield Finding("I9", error.what, found, "a directory of the store")
        if counted.has_too_many_orphans:
            yield too_many_orphans(counted)

    async def count_files(self) -> FileCount:
        """Count the files, and those that no row names."""
        counted = FileCount()
        for part in range(self.store.parts):
            with contextlib.suppress(StorageUnreadable):
                async for listed in self.store.listing(part):
                    await self._orphans(listed, counted)
        return counted

    async def _orphans(self, listed: list[StoredFile], counted: FileCount) -> list[StoredFile]:
        """Of these files, those that no row names; counted, but for what the store never made."""
        if not listed:
            return []
        orphans = await self.database.read(partial(physical_names.without_row, listed=listed))
        counted.files += sum(file.kind != "unknown" for file in listed)
        counted.orphans += sum(file.kind != "unknown" for file in orphans)
        return orphans

    async def sessions(self) -> AsyncIterator[Finding]:
        """Every upload session's row against its file."""
        for session, repository in await self.database.read(checks.open_sessions):
            self._count("sessions", 1)
            if await upload_size(self.store, session) is None:
                what = f"upload session {session} of {repository}"
                expected = "a file; a client is told to begin again"
                yield Finding("I9", what, "no file", expected, harmless=True)

    def _count(self, what: str, number: int) -> None:
        self.counts[what] += number

    async def _failing_blobs(self, page: list[BlobRow]) -> list[tuple[BlobRow, Problem]]:
        checking = (check_blob(self.store, row, deep=self.deep) for row in page)
        if self.deep:
            problems = [await check for check in checking]  # one blob after the other is read
        else:
            problems = await asyncio.gather(*checking)
        pairs = zip(page, problems, strict=True)
        return [(row, problem) for row, problem in pairs if problem is not None]

    async def blob_finding(self, row: BlobRow, problem: Problem) -> Finding:
        invariant, found, expected = problem
        affects = await self.database.read(partial(checks.tags_on_blob, digest=row.digest))
        target = CorruptBlob(row.physical)
        return Finding(invariant, f"blob {row.digest}", found, expected, affects, target=target)

    async def manifest_finding(self, row: ManifestRow, problem: Problem) -> Finding:
        invariant, found, expected = problem
        affects = await self.database.read(
            partial(checks.tags_on_manifest, repository=row.repository_id, digest=row.digest)
        )
        what, target = f"manifest {row.repository}@{row.digest}", CorruptManifest(row)
        return Finding(invariant, what, found, expected, affects, target=target)


def self_check(errors: Sequence[str], dangling: Sequence[str]) -> Iterator[Finding]:
    """The findings of the database's own checks."""
    for line in errors:
        yield Finding("I15", "database", line, "a database without errors")
    for line in dangling:
        yield Finding("I4", "database", line, "the row that it names", target=DanglingRows())


def check_rule(connection: Connection, rule: checks.Rule) -> list[Finding]:
    findings = []
    for thing, repository, digest in checks.rule_violations(connection, rule):
        if repository is None:
            affects = checks.tags_on_blob(connection, digest)
        else:
            affects = checks.tags_on_manifest(connection, repository, digest)
        target = AbsentEdge(thing) if rule.is_edge else None
        findings.append(
            Finding(
                rule.invariant,
                thing,
                rule.found,
                rule.expected,
                affects,
                target=target,
                harmless=rule.is_edge,
            )
        )
    return findings


async def check_blob(
    store: StoredFiles, row: BlobRow, *, deep: bool, pace: Pace = unpaced
) -> Problem | None:
    if row.state != "ok":
        return "I1", "known to be corrupt", "whole bytes: push it again"
    expected = f"{row.size} bytes in {row.physical}"
    try:
        stat = await store.stat(row.physical)
    except StorageUnreadable as error:
        return "I1", f"a file that cannot be looked at: {error.reason}", expected
    if stat is None:
        return "I1", "no file", expected
    if stat.size != row.size:
        return "I1", f"a file of {stat.size} bytes", expected
    if not deep:
        return None
    try:
        actual = await store.verify(row.physical, Digest.parse(row.digest).algorithm, pace)
    except StorageUnreadable as error:
        return "I2", f"a file that cannot be read: {error.reason}", expected
    except OCIError as error:
        return "I2", f"an invalid digest: {error}", expected
    if str(actual) != row.digest:
        return "I2", f"bytes with digest {actual}", row.digest
    return None


async def upload_size(store: StoredFiles, session: str) -> int | None:
    """How many bytes a session has; None where they cannot be had."""
    try:
        return await store.offset(session)
    except StorageUnreadable:
        return None


def check_manifest(row: ManifestRow, *, deep: bool) -> Problem | None:
    if row.is_marked_corrupt:
        return "I3", "known to be corrupt", "whole bytes: push it again"

    def check_edges(named: Edges) -> Problem | None:
        if named == row.edges:
            return None
        return "I3", f"{len(row.edges)} edges that differ", f"the {len(named)} that it names"

    return check_content(row, check_edges, deep=deep)


def check_trashed(row: TrashedRow, *, deep: bool) -> Problem | None:
    """Check the lists of tags and digests, and the bytes."""
    if parsed_list(row.tags, Tag.parse) is None:
        return "I3", f"tags {row.tags[:100]!r}", "a list of tags"
    present = parsed_list(row.present, Digest.parse)
    if present is None:
        return "I3", f"present digests {row.present[:100]!r}", "a list of digests"

    def check_present(named: Edges) -> Problem | None:
        unnamed = set(present) - {edge.digest for edge in named}
        if not unnamed:
            return None
        return "I3", f"the digest {min(map(str, unnamed))}", "only digests that the manifest names"

    return check_content(row, check_present, deep=deep)


def check_content(
    row: ManifestRow | TrashedRow, check_named: Callable[[Edges], Problem | None], *, deep: bool
) -> Problem | None:
    """Check a manifest's bytes; if they are good, ``check_named`` checks the digests they name."""
    if len(row.content) != row.size:
        return "I3", f"{len(row.content)} bytes", f"{row.size} bytes"
    if not deep:
        return None
    try:
        actual = Digest.of(row.content, Digest.parse(row.digest).algorithm)
    except OCIError as error:
        return "I3", f"an invalid digest: {error}", "that of its bytes"
    if str(actual) != row.digest:
        return "I3", f"bytes with digest {actual}", row.digest
    try:
        named = edges_of(parse_manifest(row.content, row.media_type))
    except OCIError as error:
        return "I3", f"not a manifest: {error}", row.media_type
    return check_named(named)


def parsed_list(text: str, parse: Callable[[str], T]) -> list[T] | None:
    """The parsed items of a JSON list; None if the text is no such list."""
    try:
        found = json.loads(text)
        return [parse(each) for each in found] if isinstance(found, list) else None
    except (ValueError, TypeError, OCIError):
        return None


def too_many_orphans(counted: FileCount) -> Finding:
    found = f"{counted.orphans} of {counted.files} that no row names"
    expected = (
        "the database of these files: an older one, or one that lost rows, names too few; neither "
        "the sweep nor --repair removes them, `registry gc --all-orphans` does"
    )
    return Finding("I9", "files", found, expected)


def orphan_file(file: StoredFile) -> Finding:
    """A file that no row names.  The sweep removes it only if its name is one the store gives."""
    if file.kind == "misnamed":
        expected = "a file of the store; the sweep leaves it alone, --repair removes it"
    else:
        expected = "a file that a row names; the sweep will take it"
    found = "no row names it"
    return Finding("I9", file.path, found, expected, harmless=True, target=OrphanFile(file))


def unknown_file(file: StoredFile) -> Finding:
    expected = (
        "a file that the store made; it is left alone: remove it yourself if it is not needed"
    )
    return Finding("I9", file.path, "a file of unknown origin", expected, harmless=True)
