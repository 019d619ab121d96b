"""Write tar headers: ustar, with PAX records for values that do not fit.

https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html#tag_20_92_13_06

Reproducible: numeric owners without names, whole seconds, PAX records in a fixed order.
"""

import struct
from typing import Final

from runner.storage.tar.errors import BLOCK_BYTES
from runner.storage.tar.pax import XATTR_PREFIX
from runner.storage.tar.reader import Member

_HEADER: Final = struct.Struct("100s8s8s8s12s12s8s1s100s6s2s32s32s8s8s155s12x")
_CHECKSUM_AT: Final = 148
_MAX_TEXT_BYTES: Final = 100
_MAX_ID: Final = 0o7777777
_MAX_SIZE: Final = 0o77777777777
_PAX_NAME: Final = b"././@PaxHeader"


def header(member: Member) -> bytes:
    """The header blocks of a member, to be followed by its content and ``padding``."""
    records = _records(member)
    described = b""
    if records:
        content = b"".join(_record(key, value) for key, value in sorted(records.items()))
        described = _block(_PAX_NAME, 0o644, 0, 0, len(content), 0, b"x", b"", (0, 0))
        described += content + padding(len(content))
    return described + _block(
        member.name[:_MAX_TEXT_BYTES],
        member.mode,
        min(member.uid, _MAX_ID),
        min(member.gid, _MAX_ID),
        min(member.size, _MAX_SIZE),
        max(0, min(member.mtime_ns // 10**9, _MAX_SIZE)),
        member.type,
        member.linkname[:_MAX_TEXT_BYTES],
        member.device,
    )


def padding(size: int) -> bytes:
    """The zeros that fill up the last block of ``size`` bytes."""
    return bytes(-size % BLOCK_BYTES)


def _records(member: Member) -> dict[bytes, bytes]:
    seconds = member.mtime_ns // 10**9
    values = {
        b"path": (member.name, _fits(member.name)),
        b"linkpath": (member.linkname, _fits(member.linkname)),
        b"uid": (b"%d" % member.uid, member.uid <= _MAX_ID),
        b"gid": (b"%d" % member.gid, member.gid <= _MAX_ID),
        b"size": (b"%d" % member.size, member.size <= _MAX_SIZE),
        b"mtime": (b"%d" % seconds, 0 <= seconds <= _MAX_SIZE),
    }
    records = {key: value for key, (value, fits) in values.items() if not fits}
    for name, value in member.xattrs.items():
        records[XATTR_PREFIX.encode() + name.encode("utf-8", "surrogateescape")] = value
    return records


def _fits(text: bytes) -> bool:
    return len(text) <= _MAX_TEXT_BYTES and text.isascii()


def _record(key: bytes, value: bytes) -> bytes:
    """``length key=value``, where the length counts its own digits too."""
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest)
    while length != len(rest) + len(str(length)):
        length = len(rest) + len(str(length))
    return b"%d" % length + rest


def _block(
    name: bytes,
    mode: int,
    uid: int,
    gid: int,
    size: int,
    mtime: int,
    kind: bytes,
    linkname: bytes,
    device: tuple[int, int],
) -> bytes:
    numbers = (b"%07o" % mode, b"%07o" % uid, b"%07o" % gid, b"%011o" % size, b"%011o" % mtime)
    devices = (b"%07o" % device[0], b"%07o" % device[1])
    fields = (name, *numbers, b" " * 8, kind, linkname, b"ustar", b"00", b"", b"", *devices, b"")
    block = bytearray(_HEADER.pack(*fields))
    block[_CHECKSUM_AT : _CHECKSUM_AT + 8] = b"%06o\0 " % sum(block)
    return bytes(block)
