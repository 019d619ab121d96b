"""Hostile names and symlinks: archives that want to be written somewhere else."""

from tests.support.runner.archives.hostile import Hostile
from tests.support.runner.archives.tar_entries import (
    DIRECTORY,
    FIFO,
    GNU_LINK,
    GNU_MAGIC,
    HARD_LINK,
    PAX_GLOBAL,
    SYMLINK,
    archive,
    directory,
    entry,
    gnu_long,
    hard_link,
    pax,
    symlink,
)

_CLIMBS = "climbs with"
_ROOT = "replace the root"
_NO_DIRECTORY = "cannot be a directory"
_UP = b"../" * 40

NAMES = (
    Hostile("a parent directory", lambda _: archive(entry(b"../x", content=b"!")), _CLIMBS),
    Hostile("a parent in the middle", lambda _: archive(entry(b"a/../../x")), _CLIMBS),
    Hostile("a parent at the end", lambda _: archive(entry(b"a/..", DIRECTORY)), _CLIMBS),
    Hostile("nothing but a parent", lambda _: archive(directory(b"..")), _CLIMBS),
    Hostile("a parent after a dot", lambda _: archive(entry(b"./../x")), _CLIMBS),
    Hostile("a parent with a slash", lambda _: archive(directory(b"a/../")), _CLIMBS),
    Hostile("many parents", lambda c: archive(entry(_UP[:60] + b"x", content=c)), _CLIMBS),
    Hostile("an absolute name", lambda _: archive(entry(b"/top/x")), shows=(("top/x", "f:"),)),
    Hostile(
        "an absolute name of a canary",
        lambda c: archive(pax({b"path": c + b"/file"}), entry(b"x", content=b"overwritten")),
    ),
    Hostile(
        "a double slash", lambda _: archive(entry(b"//a//b", content=b"1")), shows=(("a/b", "f:1"),)
    ),
    Hostile("dots", lambda _: archive(entry(b"./a/./b/.", DIRECTORY)), shows=(("a/b", "d"),)),
    Hostile("no name", lambda _: archive(entry(b"", content=b"!")), "no name"),
    Hostile("no name for a directory", lambda _: archive(directory(b"")), "no name"),
    Hostile("the root as a file", lambda _: archive(entry(b"./")), _ROOT),
    Hostile("the root as a file by slash", lambda _: archive(entry(b"/")), _ROOT),
    Hostile("the root as a symlink", lambda c: archive(symlink(b".", c)), _ROOT),
    Hostile("the root as a hard link", lambda c: archive(hard_link(b"./", c)), _ROOT),
    Hostile("the root as a FIFO", lambda _: archive(entry(b".", FIFO)), _ROOT),
    Hostile("a NUL in a PAX name", lambda _: archive(pax({b"path": b"a\0b"}), entry(b"x")), "PAX"),
    Hostile(
        "a NUL ends a header's name",
        lambda _: archive(entry(b"safe\0/../../x")),
        shows=(("safe", "f:"),),
    ),
    Hostile("a newline", lambda _: archive(entry(b"a\nb")), shows=(("a\nb", "f:"),)),
    Hostile("an escape sequence", lambda _: archive(entry(b"\x1b[2J")), shows=(("\x1b[2J", "f:"),)),
    Hostile("a backslash", lambda _: archive(entry(rb"..\..\x")), shows=(("..\\..\\x", "f:"),)),
    Hostile("bytes that are not UTF-8", lambda _: archive(entry(b"\xff\xfe"))),
    Hostile("255 bytes", lambda _: archive(gnu_long(b"n" * 255), entry(b"x"))),
    Hostile("256 bytes", lambda _: archive(gnu_long(b"n" * 256), entry(b"x")), "name too long"),
    Hostile(
        "256 bytes in 128 characters",
        lambda _: archive(gnu_long("é".encode() * 128), entry(b"x")),
        "name too long",
    ),
    Hostile(
        "256 bytes for a directory's parent",
        lambda _: archive(gnu_long(b"n" * 256 + b"/x"), entry(b"x")),
        "over 255",
    ),
    Hostile(
        "a path over 4096", lambda _: archive(pax({b"path": b"a/" * 2500}), entry(b"x")), "4096"
    ),
    Hostile(
        "a path over 4096 by GNU",
        lambda _: archive(gnu_long(b"a/" * 2500 + b"x"), entry(b"x")),
        "4096",
    ),
    # Deeper than Python's limit of recursion; the time of each grows with the square of its depth.
    Hostile("1,100 directories deep", lambda _: archive(gnu_long(b"d/" * 1100), directory(b"x"))),
    Hostile("a prefix that climbs", lambda _: archive(entry(b"x", prefix=b"../..")), _CLIMBS),
    Hostile(
        "an absolute prefix", lambda _: archive(entry(b"x", prefix=b"/p")), shows=(("p/x", "f:"),)
    ),
    Hostile(
        "GNU's times where POSIX has a prefix",
        lambda _: archive(entry(b"x", prefix=b"../..", magic=GNU_MAGIC)),
        shows=(("x", "f:"),),
    ),
    Hostile("a slash after a file", lambda _: archive(entry(b"x/")), shows=(("x", "f:"),)),
    Hostile("PAX overrides", lambda _: archive(pax({b"path": b"../x"}), entry(b"safe")), _CLIMBS),
    Hostile("GNU overrides", lambda _: archive(gnu_long(b"../x"), entry(b"safe")), _CLIMBS),
    Hostile(
        "PAX overrides GNU",
        lambda _: archive(gnu_long(b"safe"), pax({b"path": b"../x"}), entry(b"safe")),
        _CLIMBS,
    ),
    Hostile(
        "GNU overrides PAX",
        lambda _: archive(pax({b"path": b"safe"}), gnu_long(b"../x"), entry(b"safe")),
        _CLIMBS,
    ),
    Hostile(
        "PAX overrides twice",
        lambda _: archive(pax([(b"path", b"safe"), (b"path", b"../x")]), entry(b"safe")),
        _CLIMBS,
    ),
    Hostile(
        "a global name",
        lambda _: archive(pax({b"path": b"../x"}, PAX_GLOBAL), entry(b"safe")),
        shows=(("safe", "f:"),),
    ),
    Hostile(
        "a GNU link name that climbs",
        lambda _: archive(gnu_long(_UP + b"x", GNU_LINK), entry(b"h", HARD_LINK)),
        _CLIMBS,
    ),
)

SYMLINKS = (
    Hostile(
        "below an absolute symlink",
        lambda c: archive(symlink(b"l", c), entry(b"l/x", content=b"!")),
        _NO_DIRECTORY,
    ),
    Hostile(
        "below a climbing symlink",
        lambda _: archive(symlink(b"l", _UP[:90]), entry(b"l/x", content=b"in")),
        shows=(("x", "f:in"),),
    ),
    Hostile(
        "below a climbing symlink to a canary",
        lambda c: archive(symlink(b"l", _UP[:30] + c[1:]), entry(b"l/file", content=b"!")),
        _NO_DIRECTORY,
    ),
    Hostile(
        "over a symlink to a canary",
        lambda c: archive(symlink(b"x", c + b"/file"), entry(b"x", content=b"in")),
        shows=(("x", "f:in"),),
    ),
    Hostile(
        "a directory over a symlink",
        lambda c: archive(
            symlink(b"d", c), directory(b"d", 0o777), entry(b"d/file", content=b"in")
        ),
        shows=(("d/file", "f:in"),),
    ),
    Hostile(
        "a chain of symlinks",
        lambda c: archive(symlink(b"a", b"b"), symlink(b"b", c), entry(b"a/file")),
        _NO_DIRECTORY,
    ),
    Hostile(
        "a loop of symlinks",
        lambda _: archive(symlink(b"a", b"b"), symlink(b"b", b"a"), entry(b"a/x")),
        _NO_DIRECTORY,
    ),
    Hostile(
        "a symlink to itself",
        lambda _: archive(symlink(b"a", b"a"), entry(b"a/x")),
        _NO_DIRECTORY,
    ),
    Hostile(
        "a symlink to the process's root",
        lambda _: archive(symlink(b"l", b"/proc/self/root"), entry(b"l/x")),
        _NO_DIRECTORY,
    ),
    Hostile(
        "a symlink to the working directory",
        lambda _: archive(symlink(b"l", b"/proc/self/cwd"), entry(b"l/x")),
        _NO_DIRECTORY,
    ),
    Hostile(
        "a symlink to a descriptor",
        lambda _: archive(symlink(b"l", b"/proc/self/fd/0"), entry(b"l/x")),
        _NO_DIRECTORY,
    ),
    Hostile(
        "a symlink to here, many times over",
        lambda _: archive(directory(b"d"), symlink(b"d/l", b"."), entry(b"d/l/l/l/x")),
        shows=(("d/x", "f:"),),
    ),
    Hostile("a symlink to nothing", lambda _: archive(symlink(b"l", b"")), "points to"),
    Hostile(
        "a symlink with a NUL",
        lambda _: archive(pax({b"linkpath": b"a\0b"}), symlink(b"l", b"x")),
        "PAX",
    ),
    Hostile(
        "a symlink of 5,000 bytes",
        lambda _: archive(gnu_long(b"x" * 5000, GNU_LINK), symlink(b"l", b"x")),
        "name too long",
    ),
    Hostile(
        "a directory becomes a symlink",
        lambda c: archive(
            directory(b"d"), entry(b"d/a"), symlink(b"d", c), entry(b"d/file", content=b"!")
        ),
        _NO_DIRECTORY,
    ),
    Hostile(
        "attributes of a directory that became a symlink",
        lambda c: archive(directory(b"d", 0o777), symlink(b"d", c)),
        shows=(("d", "l"),),
    ),
    Hostile(
        "opaque, then a symlink",
        lambda c: archive(directory(b"d"), entry(b"d/.wh..wh..opq"), symlink(b"d", c)),
        shows=(("d", "l"),),
    ),
    Hostile(
        "an ancestor becomes a symlink",
        lambda c: archive(directory(b"a/b/c", 0o777), symlink(b"a", c), directory(b"a/b/c", 0o700)),
        _NO_DIRECTORY,
    ),
    Hostile(
        "a symlink's owner",
        lambda c: archive(entry(b"l", SYMLINK, linkname=c + b"/file", uid=1234, gid=1234)),
        shows=(("l", "l"),),
        needs_root=True,
    ),
    Hostile(
        "a symlink that moves between two entries",
        lambda c: archive(
            directory(b"d"), symlink(b"l", b"d"), entry(b"l/a"), symlink(b"l", c), entry(b"l/file")
        ),
        _NO_DIRECTORY,
    ),
    Hostile(
        "a known directory behind a symlink that moved",
        lambda c: archive(
            directory(b"a"),
            symlink(b"a/l", b"."),
            entry(b"a/l/x"),
            entry(b"a/l/l", content=b"file"),
            entry(b"a/l/file"),
        ),
        _NO_DIRECTORY,
    ),
)
