"""Tar archives written byte by byte, so that they can lie; independent of our own writer."""

import os
from collections.abc import Iterable, Mapping

REGULAR, HARD_LINK, SYMLINK, CHARACTER, BLOCK, DIRECTORY, FIFO = (
    b"0", b"1", b"2", b"3", b"4", b"5", b"6",
)  # fmt: skip
PAX, PAX_GLOBAL, GNU_NAME, GNU_LINK, GNU_SPARSE = b"x", b"g", b"L", b"K", b"S"
END = bytes(1024)
POSIX_MAGIC = b"ustar\x0000"
GNU_MAGIC = b"ustar  \0"


def number(value: int | bytes, width: int) -> bytes:
    """Octal, or base-256 where that does not fit; bytes are taken as they are."""
    if isinstance(value, bytes):
        return value.ljust(width, b"\0")
    if 0 <= value < 8 ** (width - 1):
        return b"%0*o\0" % (width - 1, value)
    encoded = (value & ((1 << 8 * width - 1) - 1)).to_bytes(width, "big")
    return bytes([encoded[0] | 0x80]) + encoded[1:]


def padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % 512)


def block(
    name: bytes,
    kind: bytes = REGULAR,
    *,
    size: int | bytes = 0,
    linkname: bytes = b"",
    mode: int | bytes = 0o644,
    uid: int | bytes | None = None,
    gid: int | bytes | None = None,
    mtime: int | bytes = 0,
    device: tuple[int | bytes, int | bytes] = (0, 0),
    magic: bytes = POSIX_MAGIC,
    prefix: bytes = b"",
    checksum: bytes | None = None,
) -> bytes:
    """One header, whatever it says; owned by whoever runs the test unless told otherwise."""
    fields = [
        name[:100].ljust(100, b"\0"),
        number(mode, 8),
        number(os.geteuid() if uid is None else uid, 8),
        number(os.getegid() if gid is None else gid, 8),
        number(size, 12),
        number(mtime, 12),
        b" " * 8,
        kind,
        linkname[:100].ljust(100, b"\0"),
        magic,
        bytes(64),
        number(device[0], 8),
        number(device[1], 8),
        prefix.ljust(155, b"\0"),
        bytes(12),
    ]
    fields[6] = b"%06o\0 " % sum(b"".join(fields)) if checksum is None else checksum
    return b"".join(fields)


def entry(
    name: bytes,
    kind: bytes = REGULAR,
    content: bytes = b"",
    *,
    size: int | bytes | None = None,
    linkname: bytes = b"",
    mode: int | bytes = 0o644,
    uid: int | bytes | None = None,
    gid: int | bytes | None = None,
    mtime: int | bytes = 0,
    device: tuple[int | bytes, int | bytes] = (0, 0),
    magic: bytes = POSIX_MAGIC,
    prefix: bytes = b"",
    checksum: bytes | None = None,
) -> bytes:
    """A header and its content."""
    header = block(
        name,
        kind,
        size=len(content) if size is None else size,
        linkname=linkname,
        mode=mode,
        uid=uid,
        gid=gid,
        mtime=mtime,
        device=device,
        magic=magic,
        prefix=prefix,
        checksum=checksum,
    )
    return header + padded(content)


def directory(name: bytes, mode: int = 0o755) -> bytes:
    return entry(name, DIRECTORY, mode=mode)


def symlink(name: bytes, target: bytes) -> bytes:
    return entry(name, SYMLINK, linkname=target, mode=0o777)


def hard_link(name: bytes, target: bytes) -> bytes:
    return entry(name, HARD_LINK, linkname=target)


def record(key: bytes, value: bytes) -> bytes:
    """One PAX record with a length that is right."""
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest)
    while length != len(rest) + len(str(length)):
        length = len(rest) + len(str(length))
    return b"%d" % length + rest


def pax(records: Mapping[bytes, bytes] | Iterable[tuple[bytes, bytes]], kind: bytes = PAX) -> bytes:
    """An extended header with these records, in this order."""
    pairs = records.items() if isinstance(records, Mapping) else records
    return entry(b"././@PaxHeader", kind, b"".join(record(key, value) for key, value in pairs))


def gnu_long(text: bytes, kind: bytes = GNU_NAME) -> bytes:
    return entry(b"././@LongLink", kind, text + b"\0", magic=GNU_MAGIC)


def old_sparse(
    name: bytes, fragments: list[tuple[int, int]], real_size: int, content: bytes
) -> bytes:
    """GNU's old sparse header, its first four fragments only."""
    header = bytearray(block(name, GNU_SPARSE, size=len(content), magic=GNU_MAGIC))
    for index, (offset, length) in enumerate(fragments):
        at = 386 + 24 * index
        header[at : at + 24] = number(offset, 12) + number(length, 12)
    header[483:495] = number(real_size, 12)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + padded(content)


def archive(*entries: bytes) -> bytes:
    """The entries and an end."""
    return b"".join(entries) + END
