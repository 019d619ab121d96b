"""RuntimeVersion, and the known CVEs of a version.

https://github.com/opencontainers/runc/blob/main/CHANGELOG.md
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from runner.runtime.children import run
from runner.runtime.messages import refusal

Version = tuple[int, int, int]

# CVE → the first fixed release of each release line; newer lines have the fix.
FIXED_IN: Final[Mapping[str, tuple[Version, ...]]] = {
    "CVE-2024-21626": ((1, 1, 12),),
    "CVE-2024-45310": ((1, 1, 14), (1, 2, 0)),
    "CVE-2025-31133": ((1, 2, 8), (1, 3, 3), (1, 4, 0)),
    "CVE-2025-52565": ((1, 2, 8), (1, 3, 3), (1, 4, 0)),
    "CVE-2025-52881": ((1, 2, 8), (1, 3, 3), (1, 4, 0)),
    "CVE-2026-41579": ((1, 3, 6), (1, 4, 3), (1, 5, 0)),
}

# Distribution revision → CVEs it has fixed by backports.
_BACKPORTS: Final[Mapping[str, frozenset[str]]] = {"+deb12u": frozenset({"CVE-2024-21626"})}

_FIRST_LINE: Final = re.compile(
    r"(\w+) version (\d{1,9})\.(\d{1,9})(?:\.(\d{1,9}))?(\S*)", re.ASCII
)


@dataclass(frozen=True, slots=True)
class RuntimeVersion:
    """A runtime's name and version; ``text`` is the whole output of ``--version``."""

    name: str
    number: Version
    text: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse the output of ``--version``; 0.0.0 if it cannot be parsed."""
        match = _FIRST_LINE.search(text)
        if match is None:
            return cls("unknown", (0, 0, 0), text)
        name, major, minor, patch, rest = match.groups()
        number = (int(major), int(minor), int(patch or 0))
        # A release candidate precedes its release.
        if rest.startswith("-rc") and number[2] == 0:
            number = (number[0], number[1], -1)
        return cls(name, number, text)

    def __str__(self) -> str:
        return f"{self.name} {'.'.join(str(max(n, 0)) for n in self.number)}"


async def probe(executable: str) -> RuntimeVersion:
    """Run the runtime's ``--version``; RuntimeRefused if it fails."""
    completed = await run((executable, "--version"))
    if completed.code != 0:
        raise refusal(completed.errors)
    return RuntimeVersion.parse(completed.output.decode(errors="replace"))


def known_cves(version: RuntimeVersion) -> tuple[str, ...]:
    """The table's CVEs that affect this version; the table covers runc only."""
    if version.name != "runc":
        return ()
    patched = frozenset[str]().union(
        *(cves for revision, cves in _BACKPORTS.items() if revision in version.text)
    )
    return tuple(
        cve
        for cve, releases in FIXED_IN.items()
        if cve not in patched and not _has_fix(version.number, releases)
    )


def warning(version: RuntimeVersion) -> str:
    """A warning for ``info`` and the log, or "" (rule C-1)."""
    found = known_cves(version)
    if not found:
        return ""
    return (
        f"{version} has known vulnerabilities ({', '.join(found)}): run only images you trust, "
        "or set runner.runtime to a newer runc"
    )


def _has_fix(number: Version, releases: tuple[Version, ...]) -> bool:
    same_line = [release for release in releases if release[:2] == number[:2]]
    if same_line:
        return number >= same_line[0]
    return number > max(releases)
