"""Names of layer entries: whiteouts, opaque whiteouts, valid paths.

https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts
"""

from dataclasses import dataclass
from enum import Enum
from typing import Self

from oci.errors import ErrorCode, OCIError, quoted

WHITEOUT_PREFIX = ".wh."
OPAQUE = ".wh..wh..opq"
# Metadata of AUFS itself, not part of the changeset.
_AUFS_PREFIX = ".wh..wh."

MAX_PATH = 4096
MAX_COMPONENT = 255


class InvalidLayer(OCIError):
    """The archive is not a valid layer changeset."""

    code = ErrorCode.MANIFEST_INVALID


class EntryKind(Enum):
    """The kinds of layer entries that a name tells apart."""

    ADDED = "added"
    WHITEOUT = "whiteout"
    OPAQUE = "opaque"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class EntryName:
    """The parsed name of a layer entry: its kind and its path below the root.

    ``parts`` has no empty part, no ``.`` and no ``..``; the root itself has no parts.
    The path of a whiteout is the path to remove; of an opaque whiteout, the directory to empty.

    >>> EntryName.parse("./etc/.wh.passwd")
    EntryName(kind=<EntryKind.WHITEOUT: 'whiteout'>, parts=('etc', 'passwd'))
    """

    kind: EntryKind
    parts: tuple[str, ...]

    @classmethod
    def parse(cls, name: str) -> Self:
        """Parse the name of a tar entry, or raise InvalidLayer."""
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
