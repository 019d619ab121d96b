"""Findings: broken rules, with what was found and expected, and the tags affected.

docs/rules.md has all invariants.  A check of a root at rest can show those below; the others
concern answers over time, which only a log of the clients can show, or another root (I20), and
there are no counters to compare with sums (I11).

I3 is also checked for manifests in the trash, which can be undeleted.  The bytes of blobs there are
not read: undelete reads them first, and refuses corrupt ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from registry.storage.blobs.contract import StoredFile
from registry.storage.metadata.integrity.checks import ManifestRow

# The words of docs/rules.md, short enough for a line of fsck.
INVARIANTS = {
    "I1": "every blob has its file, of its size",
    "I2": "every blob's bytes have its digest",
    "I3": "every manifest's bytes have its digest, and its edges are the digests it names",
    "I4": "every tag, edge and membership leads to a row that exists",
    "I9": "every file is a blob's, an open upload's, or in the trash",
    "I12": "the rows of the audit form a chain of hashes",
    "I15": "SQLite finds the database in order",
    "I19": "the database has this program's schema",
}


@dataclass(frozen=True, slots=True)
class CorruptBlob:
    """A blob's missing or wrong bytes, by physical name."""

    physical: str


@dataclass(frozen=True, slots=True)
class CorruptManifest:
    """A corrupt manifest, as it was when it was checked."""

    row: ManifestRow


@dataclass(frozen=True, slots=True)
class AbsentEdge:
    """Edges that mark a digest absent although it is present."""

    digest: str


@dataclass(frozen=True, slots=True)
class DanglingRows:
    """Rows whose foreign key names a missing row."""


@dataclass(frozen=True, slots=True)
class OrphanFile:
    """A file of the store that no row names."""

    file: StoredFile


Target = CorruptBlob | CorruptManifest | AbsentEdge | DanglingRows | OrphanFile
"""The subject of a finding, by which a repair chooses its step."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken rule.

    A ``harmless`` one needs no repair: a crash left it, and the sweep or the next start removes it.
    Without a ``target`` no repair is possible.
    """

    invariant: str
    what: str
    found: str
    expected: str
    affects: tuple[str, ...] = ()
    harmless: bool = False
    repaired: str = ""
    target: Target | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "invariant": self.invariant,
            "rule": INVARIANTS[self.invariant],
            "what": self.what,
            "found": self.found,
            "expected": self.expected,
            "affects": list(self.affects),
            "harmless": self.harmless,
            "repaired": self.repaired,
        }
