"""htpasswd files: users and bcrypt hashes, as ``htpasswd -B`` writes them.

https://httpd.apache.org/docs/2.4/misc/password_encryptions.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from registry.auth.names import PrincipalName

# A cost beyond 14 takes longer than a second: each login would keep a thread that long.
_BCRYPT: Final = re.compile(r"\$2[aby]\$(0[4-9]|1[0-4])\$[./A-Za-z0-9]{53}", re.ASCII)


@dataclass(frozen=True, slots=True)
class HtpasswdEntry:
    """A user, and the hash of their password."""

    name: str
    hash: str


@dataclass(frozen=True, slots=True)
class Htpasswd:
    """The entries of a file, and a sentence for each line that has none."""

    entries: tuple[HtpasswdEntry, ...]
    problems: tuple[str, ...]


def parse_htpasswd(text: str) -> Htpasswd:
    """Read every line; blank ones and comments are skipped.  No problem quotes a hash."""
    entries: dict[str, HtpasswdEntry] = {}
    problems = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, found = line.strip().partition(":")
        try:
            PrincipalName.parse(name)
        except ValueError as error:
            problems.append(f"line {number}: {error}")
            continue
        if name in entries:
            problems.append(f"line {number}: {name} is there twice")
        elif not is_bcrypt(found):
            problems.append(
                f"line {number}: the password of {name} is no bcrypt hash of cost 4 to 14; give it "
                "anew with `htpasswd -B`, or add the user without"
            )
        else:
            entries[name] = HtpasswdEntry(name, found)
    return Htpasswd(tuple(entries.values()), tuple(problems))


def is_bcrypt(text: str) -> bool:
    return _BCRYPT.fullmatch(text) is not None
