"""Users: ``user[:group]`` looked up in the container's own passwd and group files.

https://github.com/opencontainers/image-spec/blob/main/conversion.md#configuser

The files are untrusted: they are opened inside the root only.  The host's name service is not
used.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from runner.errors import BadRequest
from runner.linux.openat2 import read_file

# -1 means "leave it" to chown(2) and setresuid(2).
MAX_ID: Final = 2**32 - 2
_MAX_GROUPS: Final = 65536
_FILE_BYTES: Final = 16 << 20


@dataclass(frozen=True, slots=True)
class User:
    """A process's numeric IDs; ``groups`` holds the supplementary groups."""

    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()

    def to_json(self) -> dict[str, object]:
        document: dict[str, object] = {"uid": self.uid, "gid": self.gid}
        if self.groups:
            document["additionalGids"] = list(self.groups)
        return document


@dataclass(frozen=True, slots=True)
class _Account:
    name: str
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class _Group:
    name: str
    gid: int
    members: tuple[str, ...]


def find_user(root: int, text: str, group_add: Sequence[str] = ()) -> User:
    """Resolve ``text`` ("" is root) by the files in the directory open as ``root``.

    As moby does, a numeric user gets the groups of its account too, and the primary group is
    among the supplementary ones (CVE-2022-36109).  Raises BadRequest for a name that the
    container does not know and a number outside 0 to 2³²-2.
    """
    user_text, _, group_text = text.partition(":")
    if not text.isprintable() or ":" in group_text:
        raise BadRequest(f"invalid user {text!r}: expected user[:group]")
    accounts = tuple(_accounts(_lines(root, "etc/passwd")))
    groups = tuple(_groups(_lines(root, "etc/group")))
    account = _find_account(accounts, user_text or "0")
    gid = _find_gid(groups, group_text) if group_text else account.gid
    # An explicit group replaces the account's groups.
    member = [] if group_text else [g.gid for g in groups if account.name in g.members]
    added = [_find_gid(groups, name) for name in group_add]
    supplementary = tuple(dict.fromkeys((gid, *member, *added)))[:_MAX_GROUPS]
    return User(account.uid, gid, supplementary)


def _find_account(accounts: tuple[_Account, ...], text: str) -> _Account:
    # Digits are never a name: an image's account "1000" of uid 0 would make USER 1000 root.
    if _is_number(text):
        uid = _number(text, "user")
        return next((one for one in accounts if one.uid == uid), _Account("", uid, 0))
    found = next((one for one in accounts if one.name == text), None)
    if found is None:
        raise BadRequest(f"unable to find user {text}: no matching entries in passwd file")
    return found


def _find_gid(groups: tuple[_Group, ...], text: str) -> int:
    if _is_number(text):
        return _number(text, "group")
    found = next((one for one in groups if one.name == text), None)
    if found is None:
        raise BadRequest(f"unable to find group {text}: no matching entries in group file")
    return found.gid


def _is_number(text: str) -> bool:
    return text.isascii() and text.lstrip("+-").isdigit()


def _number(text: str, kind: str) -> int:
    # Check the length first: int() of a million digits takes seconds.
    value = int(text) if len(text) <= 11 else MAX_ID + 1
    if not 0 <= value <= MAX_ID:
        raise BadRequest(f"invalid {kind} {text[:32]!r}: expected a number from 0 to {MAX_ID}")
    return value


def _lines(root: int, path: str) -> list[list[str]]:
    try:
        content = read_file(root, path, limit=_FILE_BYTES)
    except (OSError, ValueError):
        # A missing or irregular file means no names.
        return []
    lines = content.decode(errors="surrogateescape").split("\n")
    return [line.split(":") for line in lines if line and not line.startswith("#")]


def _accounts(lines: list[list[str]]) -> Iterator[_Account]:
    for fields in lines:
        uid, gid = _id(fields, 2), _id(fields, 3)
        if fields[0] and uid is not None and gid is not None:
            yield _Account(fields[0], uid, gid)


def _groups(lines: list[list[str]]) -> Iterator[_Group]:
    for fields in lines:
        gid = _id(fields, 2)
        if fields[0] and gid is not None:
            members = fields[3].split(",") if len(fields) > 3 else []
            yield _Group(fields[0], gid, tuple(name for name in members if name))


def _id(fields: list[str], index: int) -> int | None:
    """The number in a field; None if missing or out of range."""
    text = fields[index] if len(fields) > index else ""
    if not (text.isascii() and text.isdigit()) or len(text) > 10:
        return None
    return int(text) if int(text) <= MAX_ID else None
