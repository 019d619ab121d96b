"""Whiteout names and the rules of a layer changeset.

https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts
"""

from dataclasses import dataclass
from enum import Enum
from typing import Self

from oci.errors import ErrorCode, OCIError, quoted

WHITEOUT_PREFIX = ".wh."
OPAQUE = ".wh..wh..opq"
# AUFS kept its own records in layers; they are not part of the changeset.
_AUFS_PREFIX = ".wh..wh."

MAX_PATH = 4096
MAX_COMPONENT = 255


class InvalidLayer(OCIError):
    """The archive is not a layer changeset that may be applied."""

    code = ErrorCode.MANIFEST_INVALID


class EntryKind(Enum):
    """What an entry of a layer asks for, by its name alone."""

    ADDED = "added"
    WHITEOUT = "whiteout"
    OPAQUE = "opaque"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class EntryName:
    """The name of one entry: what to do, and to which path below the root.

    ``parts`` has no empty part, no ``.`` and no ``..``; the root itself has no parts.
    A whiteout's path is what it removes; an opaque whiteout's, the directory it empties.

    >>> EntryName.parse("./etc/.wh.passwd")
    EntryName(kind=<EntryKind.WHITEOUT: 'whiteout'>, parts=('etc', 'passwd'))
    """

    kind: EntryKind
    parts: tuple[str, ...]

    @classmethod
    def parse(cls, name: str) -> Self:
        """Read the name of a tar entry, or raise InvalidLayer."""
        if len(name) > MAX_PATH:
            raise InvalidLayer(f"entry {quoted(name)} has {len(name)} characters, over {MAX_PATH}")
        if "\0" in name:
            raise InvalidLayer(f"entry {quoted(name)} contains a NUL character")
        parts = tuple(part for part in name.split("/") if part not in ("", "."))
        for part in parts:
            if part == "..":
                raise InvalidLayer(f"entry {quoted(name)} climbs with '..'")
            if len(part) > MAX_COMPONENT:
                raise InvalidLayer(
                    f"entry {quoted(name)} has a part over {MAX_COMPONENT} characters"
                )
        return cls(*_kind_of(name, parts))

    @property
    def path(self) -> str:
        """The path below the root, without a leading slash; empty for the root."""
        return "/".join(self.parts)


def _kind_of(name: str, parts: tuple[str, ...]) -> tuple[EntryKind, tuple[str, ...]]:
    if any(part.startswith(_AUFS_PREFIX) and part != OPAQUE for part in parts):
        return EntryKind.IGNORED, parts
    if any(part.startswith(WHITEOUT_PREFIX) for part in parts[:-1]):
        raise InvalidLayer(f"entry {quoted(name)} lies below a whiteout")
    base = parts[-1] if parts else ""
    if base == OPAQUE:
        return EntryKind.OPAQUE, parts[:-1]
    if not base.startswith(WHITEOUT_PREFIX):
        return EntryKind.ADDED, parts
    removed = base.removeprefix(WHITEOUT_PREFIX)
    if removed in ("", ".", ".."):
        raise InvalidLayer(f"entry {quoted(name)} is a whiteout of nothing, expected a name")
    return EntryKind.WHITEOUT, (*parts[:-1], removed)
