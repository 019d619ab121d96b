"""Hostile headers: archives that lie about sizes, owners, times, attributes and sparse maps."""

from tests.support.runner.archives.hostile import Hostile
from tests.support.runner.archives.tar_entries import (
    END,
    GNU_LINK,
    archive,
    block,
    directory,
    entry,
    gnu_long,
    old_sparse,
    padded,
    pax,
    record,
    symlink,
)

_CUT = "cut short"
_OWNER = "expected 0 to 4294967294"
_PAX = "invalid PAX"
_MAP = "invalid sparse map"
_HUGE = 1 << 62


def _raw_pax(content: bytes) -> bytes:
    return archive(entry(b"p", b"x", content), entry(b"x"))


def _sparse_pax(*records: tuple[bytes, bytes], content: bytes = b"") -> bytes:
    return archive(pax(records), entry(b"x", content=content))


def _format_1(content: bytes, real_size: bytes = b"4096") -> bytes:
    version = ((b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"))
    return _sparse_pax(*version, (b"GNU.sparse.realsize", real_size), content=content)


HEADERS = (
    Hostile("a wrong checksum", lambda _: archive(block(b"x", checksum=b"000001\0 ")), "checksum"),
    Hostile(
        "a checksum of letters", lambda _: archive(block(b"x", checksum=b"hello!\0 ")), "octal"
    ),
    Hostile("not an archive", lambda _: b"\x7fELF" + b"not an archive" * 100, "invalid|checksum"),
    Hostile(
        "compressed once more",
        lambda _: b"\x1f\x8b\x08" + bytes(range(256)) * 4,
        "invalid|checksum",
    ),
    Hostile("a negative size", lambda _: archive(block(b"x", size=-512)), "not negative"),
    Hostile("a size of letters", lambda _: archive(block(b"x", size=b"12z4")), "octal"),
    Hostile("a size with a sign", lambda _: archive(block(b"x", size=b"-0000000010")), "octal"),
    Hostile("a size with an underscore", lambda _: archive(block(b"x", size=b"1_0")), "octal"),
    Hostile("an immense size", lambda _: archive(block(b"x", size=_HUGE)), "at most"),
    Hostile(
        "an immense size by PAX",
        lambda _: archive(pax({b"size": b"9" * 18}), block(b"x")),
        "at most",
    ),
    Hostile(
        "a size beyond numbers", lambda _: archive(pax({b"size": b"9" * 40}), block(b"x")), _PAX
    ),
    Hostile("a negative size by PAX", lambda _: archive(pax({b"size": b"-1"}), block(b"x")), _PAX),
    Hostile(
        "a size that PAX makes smaller",
        lambda _: archive(pax({b"size": b"0"}), entry(b"x", content=b"A" * 600)),
        "invalid|checksum",
    ),
    Hostile(
        "content that is a header",
        lambda _: archive(entry(b"x", content=entry(b"../y"))),
    ),
    Hostile("cut in a header", lambda _: block(b"x")[:300], _CUT),
    Hostile("cut in content", lambda _: entry(b"x", content=b"A" * 2000)[:1024], _CUT),
    Hostile("cut in padding", lambda _: entry(b"x", content=b"A")[:600], shows=(("x", "f:A"),)),
    Hostile("cut in an extension", lambda _: pax({b"path": b"a" * 900})[:700], _CUT),
    Hostile("cut after an extension", lambda _: pax({b"path": b"a"})),
    Hostile("cut after a long name", lambda _: gnu_long(b"a" * 200)),
    Hostile("ended after an extension", lambda _: archive(pax({b"path": b"a"}))),
    Hostile("cut after an entry", lambda _: entry(b"x", content=b"1"), shows=(("x", "f:1"),)),
    Hostile("empty", lambda _: b""),
    Hostile("nothing but an end", lambda _: END),
    Hostile(
        "another archive after the end",
        lambda _: archive(entry(b"x")) + archive(entry(b"../y")),
        shows=(("x", "f:"),),
    ),
    Hostile(
        "a PAX header of 2 MiB", lambda _: archive(entry(b"p", b"x", b"1" * (2 << 20))), "at most"
    ),
    Hostile(
        "a long name of 2 MiB",
        lambda _: archive(gnu_long(b"n" * (2 << 20)), entry(b"x")),
        "at most",
    ),
    Hostile(
        "a long link of 2 MiB", lambda _: archive(gnu_long(b"n" * (2 << 20), GNU_LINK)), "at most"
    ),
    Hostile("a PAX length of zero", lambda _: _raw_pax(b"0 a=b\n"), _PAX),
    Hostile("a PAX length too small", lambda _: _raw_pax(b"3 path=b\n"), _PAX),
    Hostile("a PAX length too large", lambda _: _raw_pax(b"999999 path=b\n"), _PAX),
    Hostile("a PAX length of letters", lambda _: _raw_pax(b"xx path=b\n"), _PAX),
    Hostile("a negative PAX length", lambda _: _raw_pax(b"-9 path=b\n"), _PAX),
    Hostile("a PAX record without a value", lambda _: _raw_pax(b"8 path\n\n\n"), _PAX),
    Hostile("a PAX record without an end", lambda _: _raw_pax(b"9 path=bb"), _PAX),
    Hostile("a PAX record without a key", lambda _: _raw_pax(b"5 =b\n"), _PAX),
    Hostile("a NUL in a PAX key", lambda _: _raw_pax(record(b"pa\0th", b"b")), _PAX),
    Hostile(
        "an empty PAX name",
        lambda _: archive(pax({b"path": b""}), entry(b"x")),
        shows=(("x", "f:"),),
    ),
)

ATTRIBUTES = (
    Hostile("the owner that means nobody", lambda _: archive(entry(b"x", uid=2**32 - 1))),
    Hostile("an owner that wraps to root", lambda _: archive(entry(b"x", uid=2**32)), _OWNER),
    Hostile(
        "a group that wraps", lambda _: archive(pax({b"gid": b"4294967296"}), entry(b"x")), _OWNER
    ),
    Hostile("the owner -1", lambda _: archive(entry(b"x", uid=-1))),
    Hostile("the owner -1 by PAX", lambda _: archive(pax({b"uid": b"-1"}), entry(b"x"))),
    Hostile("a negative owner", lambda _: archive(entry(b"x", uid=-2)), _OWNER),
    Hostile("a negative owner by PAX", lambda _: archive(pax({b"uid": b"-2"}), entry(b"x")), _PAX),
    Hostile(
        "an owner in hexadecimal", lambda _: archive(pax({b"uid": b"0x10"}), entry(b"x")), _PAX
    ),
    Hostile(
        "an owner in Arabic digits",
        lambda _: archive(pax({b"uid": b"\xd9\xa1"}), entry(b"x")),
        _PAX,
    ),
    Hostile("a mode with more than a mode", lambda _: archive(entry(b"x", mode=0o7770644))),
    Hostile("a directory nobody may enter", lambda _: archive(directory(b"d", 0), entry(b"d/x"))),
    Hostile("the last second of all", lambda _: archive(pax({b"mtime": b"9" * 18}), entry(b"x"))),
    Hostile("the first second of all", lambda _: archive(entry(b"x", mtime=-(1 << 80)))),
    Hostile(
        "a time that is no number", lambda _: archive(pax({b"mtime": b"nan"}), entry(b"x")), _PAX
    ),
    Hostile(
        "a time with an exponent", lambda _: archive(pax({b"mtime": b"1e99"}), entry(b"x")), _PAX
    ),
    Hostile(
        "a capability that is none",
        lambda _: archive(pax({b"SCHILY.xattr.security.capability": b"root"}), entry(b"x")),
        "Invalid argument",
        needs_root=True,
    ),
    Hostile(
        "an attribute over 64 KiB",
        lambda _: archive(pax({b"SCHILY.xattr.user.x": b"v" * 70_000}), entry(b"x")),
        "Argument list too long",
    ),
    Hostile(
        "an attribute with a long name",
        lambda _: archive(pax({b"SCHILY.xattr.user." + b"n" * 300: b"v"}), entry(b"x")),
        "out of range",
    ),
    Hostile(
        "attributes of a symlink",
        lambda c: archive(pax({b"SCHILY.xattr.user.x": b"v"}), symlink(b"x", c + b"/file")),
        shows=(("x", "l"),),
    ),
)

SPARSE = (
    Hostile(
        "an immense file without content",
        lambda _: archive(old_sparse(b"x", [], 1 << 55, b"")),
        "at most",
    ),
    Hostile(
        "an immense hole by PAX",
        lambda _: _sparse_pax((b"GNU.sparse.size", b"9" * 18), (b"GNU.sparse.map", b"")),
        "at most",
    ),
    Hostile(
        "fragments that overlap",
        lambda _: archive(old_sparse(b"x", [(0, 4), (2, 4)], 100, b"12345678")),
        _MAP,
    ),
    Hostile(
        "fragments out of order",
        lambda _: archive(old_sparse(b"x", [(50, 4), (0, 4)], 100, b"12345678")),
        _MAP,
    ),
    Hostile(
        "a fragment beyond the end",
        lambda _: archive(old_sparse(b"x", [(98, 4)], 100, b"1234")),
        _MAP,
    ),
    Hostile(
        "a fragment at a negative offset",
        lambda _: archive(old_sparse(b"x", [(-4, 4)], 100, b"1234")),
        "not negative",
    ),
    Hostile(
        "more fragments than content",
        lambda _: archive(old_sparse(b"x", [(0, 40)], 100, b"1234")),
        _MAP,
    ),
    Hostile(
        "less fragments than content",
        lambda _: archive(old_sparse(b"x", [(0, 1)], 100, b"1234")),
        _MAP,
    ),
    Hostile(
        "holes, honestly",
        lambda _: archive(old_sparse(b"x", [(2, 2), (6, 1)], 8, b"abc")),
        shows=(("x", "f:\0\0ab\0\0c\0"),),
    ),
    Hostile(
        "a sparse name that climbs",
        lambda _: _sparse_pax(
            (b"GNU.sparse.name", b"../x"), (b"GNU.sparse.size", b"0"), (b"GNU.sparse.map", b"")
        ),
        "climbs with",
    ),
    Hostile(
        "an odd map",
        lambda _: _sparse_pax((b"GNU.sparse.size", b"9"), (b"GNU.sparse.map", b"0,1,2")),
        _MAP,
    ),
    Hostile(
        "a map of letters",
        lambda _: _sparse_pax((b"GNU.sparse.size", b"9"), (b"GNU.sparse.map", b"a,b")),
        _PAX,
    ),
    Hostile(
        "a map without a size",
        lambda _: _sparse_pax((b"GNU.sparse.map", b"0,0")),
        _PAX,
    ),
    Hostile(
        "lengths without offsets",
        lambda _: _sparse_pax((b"GNU.sparse.size", b"9"), (b"GNU.sparse.numbytes", b"1")),
        "do not pair",
    ),
    Hostile(
        "a map of a thousand million",
        lambda _: _format_1(padded(b"1000000000\n0\n0\n")),
        "at most",
    ),
    Hostile("a map without an end", lambda _: _format_1(b"9" * 2048), _MAP),
    Hostile("a map that is cut", lambda _: _format_1(b"2\n0\n4\n")[: 3 * 512 + 200], _CUT),
    Hostile(
        "a map longer than its content",
        lambda _: _format_1(padded(b"1\n0\n4096\n") + b"abcd"),
        _MAP,
    ),
    Hostile(
        "format 1.0, honestly",
        lambda _: _format_1(padded(b"1\n1\n2\n") + b"ab", b"4"),
        shows=(("x", "f:\0ab\0"),),
    ),
    Hostile(
        "format 0.0, honestly",
        lambda _: _sparse_pax(
            (b"GNU.sparse.size", b"4"),
            (b"GNU.sparse.offset", b"1"),
            (b"GNU.sparse.numbytes", b"1"),
            (b"GNU.sparse.offset", b"3"),
            (b"GNU.sparse.numbytes", b"1"),
            content=b"ab",
        ),
        shows=(("x", "f:\0a\0b"),),
    ),
)
