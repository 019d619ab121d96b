"""Findings: what is wrong, what was expected, and whom it affects.

Of the invariants of the design, a root at rest shows these; the others are about answers over
time (I5 and I6: nothing acknowledged is lost; I7: tags are linearizable; I8: offsets; I10: files
elsewhere; I13: what is read; I14: who may; I16: recovery; I17: progress; I18: restarts), which
only a log of the clients can show, or about another root (I20: what a backup restores).  There
are no counters to compare with sums (I11): sizes are computed when they are asked for.

I3 is also asked of the manifests in the trash, which can come back.  The blobs' bytes there are
not read: undelete reads them before it brings them back, and refuses what is damaged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from registry.storage.metadata.integrity.checks import ManifestRow

INVARIANTS = {
    "I1": "every blob has its file, of its size",
    "I2": "every blob's bytes have its digest",
    "I3": "every manifest's bytes, in the trash too, have its digest; its edges are what they name",
    "I4": "every tag, edge and membership leads to something that is here",
    "I9": "every file is a blob's, a session's, or in the trash",
    "I12": "no row of the audit was altered, and none in the middle removed",
    "I15": "the database is sound",
    "I19": "the database has this program's schema",
}


@dataclass(frozen=True, slots=True)
class CorruptBlob:
    """Bytes that are missing or wrong, by the name that they had when they were looked at."""

    physical: str


@dataclass(frozen=True, slots=True)
class CorruptManifest:
    """A manifest that is wrong, as it was when it was looked at."""

    row: ManifestRow


@dataclass(frozen=True, slots=True)
class AbsentEdge:
    """Edges that say that a digest is absent, which is here."""

    digest: str


@dataclass(frozen=True, slots=True)
class DanglingRows:
    """Rows that name rows which are not there."""


@dataclass(frozen=True, slots=True)
class OrphanFile:
    """A file that no row names, by its path in the root."""

    path: str


Target = CorruptBlob | CorruptManifest | AbsentEdge | DanglingRows | OrphanFile
"""What a finding is about, for a repair to choose its step by; the words are for people."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be.

    A ``harmless`` one needs no repair: a crash left it, and the sweep or the next start takes it.
    Without a ``target`` there is nothing that a repair could do.
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
            "what": self.what,
            "found": self.found,
            "expected": self.expected,
            "affects": list(self.affects),
            "harmless": self.harmless,
            "repaired": self.repaired,
        }
