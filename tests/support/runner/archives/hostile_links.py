"""Hostile hard links, whiteouts and special files."""

from tests.support.runner.archives.hostile import Hostile
from tests.support.runner.archives.tar_entries import (
    BLOCK,
    CHARACTER,
    DIRECTORY,
    FIFO,
    HARD_LINK,
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

HARD_LINKS = (
    Hostile(
        "to a canary",
        lambda c: archive(hard_link(b"h", c + b"/file"), entry(b"h2")),
        shows=(("h", "-"),),
    ),
    Hostile("that climbs", lambda c: archive(hard_link(b"h", b"../../" + c + b"/file")), _CLIMBS),
    Hostile(
        "through a symlink",
        lambda c: archive(symlink(b"l", c), hard_link(b"h", b"l/file")),
        shows=(("h", "-"),),
    ),
    Hostile(
        "through a symlink, then written",
        lambda c: archive(symlink(b"l", c), hard_link(b"h", b"l/file"), entry(b"h", content=b"in")),
        shows=(("h", "f:in"),),
    ),
    Hostile(
        "to a symlink",
        lambda c: archive(symlink(b"l", c + b"/file"), hard_link(b"h", b"l")),
        shows=(("h", "l"),),
    ),
    Hostile(
        "to a symlink, then written",
        lambda c: archive(
            symlink(b"l", c + b"/file"), hard_link(b"h", b"l"), entry(b"h", content=b"in")
        ),
        shows=(("h", "f:in"), ("l", "l")),
    ),
    Hostile(
        "to a symlink, with a mode",
        lambda c: archive(
            symlink(b"l", c + b"/file"), entry(b"h", HARD_LINK, linkname=b"l", mode=0o4777, uid=0)
        ),
        shows=(("h", "l"),),
    ),
    Hostile(
        "overwritten",
        lambda _: archive(
            entry(b"a", content=b"1"), hard_link(b"h", b"a"), entry(b"h", content=b"2")
        ),
        shows=(("a", "f:1"), ("h", "f:2")),
    ),
    Hostile(
        "to a directory", lambda _: archive(directory(b"d"), hard_link(b"h", b"d")), "a directory"
    ),
    Hostile("to the root", lambda _: archive(hard_link(b"h", b"/")), "the root directory"),
    Hostile("to nothing", lambda _: archive(hard_link(b"h", b"")), "the root directory"),
    Hostile(
        "to itself",
        lambda _: archive(entry(b"a", content=b"1"), hard_link(b"a", b"a")),
        shows=(("a", "f:1"),),
    ),
    Hostile(
        "to a whiteout", lambda _: archive(entry(b".wh.a"), hard_link(b"h", b"a")), "layer removes"
    ),
    Hostile(
        "to a whiteout's name",
        lambda _: archive(entry(b".wh.a"), hard_link(b"h", b".wh.a")),
        "whiteout",
    ),
    Hostile(
        "named as a whiteout",
        lambda _: archive(entry(b"a"), hard_link(b".wh.h", b"a")),
        shows=(("a", "f:"), ("h", "c")),
    ),
    Hostile(
        "with a NUL", lambda _: archive(pax({b"linkpath": b"a\0"}), hard_link(b"h", b"a")), "PAX"
    ),
    Hostile(
        "with content that is a header",
        lambda _: archive(
            entry(b"a"), entry(b"h", HARD_LINK, entry(b"inner", content=b"!"), linkname=b"a")
        ),
        shows=(("inner", "f:!"),),
    ),
    Hostile(
        "to a device",
        lambda _: archive(
            entry(b"null", CHARACTER, device=(1, 3)),
            hard_link(b"h", b"null"),
            entry(b"h", content=b"in"),
        ),
        shows=(("h", "f:in"), ("null", "c")),
        needs_root=True,
    ),
)

WHITEOUTS = (
    Hostile("of nothing", lambda _: archive(entry(b".wh.")), "whiteout of nothing"),
    Hostile(
        "of nothing in a directory", lambda _: archive(entry(b"d/.wh.")), "whiteout of nothing"
    ),
    Hostile("of a dot", lambda _: archive(entry(b".wh..")), "whiteout of nothing"),
    Hostile("of a parent", lambda _: archive(entry(b".wh...")), "whiteout of nothing"),
    Hostile(
        "of a parent in a directory", lambda _: archive(entry(b"d/.wh...")), "whiteout of nothing"
    ),
    Hostile("that climbs", lambda _: archive(entry(b"../.wh.canary")), _CLIMBS),
    Hostile("opaque that climbs", lambda _: archive(entry(b"../canary/.wh..wh..opq")), _CLIMBS),
    Hostile(
        "across a symlink",
        lambda c: archive(symlink(b"d", c), entry(b"d/.wh.file")),
        "crosses the symlink",
    ),
    Hostile(
        "opaque across a symlink",
        lambda c: archive(symlink(b"d", c), entry(b"d/.wh..wh..opq")),
        "crosses the symlink",
    ),
    Hostile(
        "across a symlink deeper",
        lambda c: archive(symlink(b"a/d", c), entry(b"a/d/sub/.wh.file")),
        "crosses the symlink",
    ),
    Hostile("as a directory", lambda _: archive(directory(b".wh.d")), shows=(("d", "c"),)),
    Hostile("as a symlink", lambda c: archive(symlink(b".wh.d", c)), shows=(("d", "c"),)),
    Hostile("as a FIFO", lambda _: archive(entry(b".wh.d", FIFO)), shows=(("d", "c"),)),
    Hostile(
        "beside files kept by AUFS",
        lambda _: archive(entry(b".wh..wh.plnk/../x"), hard_link(b"y", b".wh..wh.plnk/../x")),
        "climbs",
    ),
    Hostile("as a parent", lambda _: archive(entry(b".wh.d/x")), "below a whiteout"),
    Hostile("as a parent, opaque", lambda _: archive(entry(b".wh..wh..opq/x")), "below a whiteout"),
    Hostile("opaque root", lambda _: archive(entry(b".wh..wh..opq"))),
    Hostile(
        "with content",
        lambda _: archive(entry(b".wh.a", content=b"x" * 700), entry(b"b", content=b"1")),
        shows=(("a", "c"), ("b", "f:1")),
    ),
    Hostile(
        "below a whiteout",
        lambda _: archive(entry(b".wh.a"), entry(b"a/.wh.b"), entry(b"a/.wh..wh..opq")),
        shows=(("a", "c"),),
    ),
    Hostile(
        "then made again beneath",
        lambda _: archive(entry(b".wh.a"), entry(b"a/b/x", content=b"1")),
        shows=(("a/b/x", "f:1"),),
    ),
    Hostile(
        "then made again",
        lambda _: archive(entry(b".wh.a"), entry(b"a", content=b"1")),
        shows=(("a", "f:1"),),
    ),
    Hostile(
        "of what its own layer brings",
        lambda _: archive(entry(b"a", content=b"1"), entry(b".wh.a")),
        shows=(("a", "f:1"),),
    ),
    Hostile(
        "AUFS records",
        lambda _: archive(
            entry(b".wh..wh.aufs"),
            directory(b".wh..wh.plnk"),
            hard_link(b".wh..wh.plnk/1.2", b"../../etc/passwd"),
        ),
        shows=((".wh..wh.aufs", "-"), (".wh..wh.plnk", "-")),
    ),
    Hostile(
        "only by its looks",
        lambda _: archive(entry(b"a.wh.b"), entry(b"c.wh.d/e")),
        shows=(("a.wh.b", "f:"), ("c.wh.d/e", "f:")),
    ),
    Hostile("twice", lambda _: archive(entry(b".wh.a"), entry(b".wh.a")), shows=(("a", "c"),)),
    Hostile(
        "below a file", lambda _: archive(entry(b"f"), entry(b"f/.wh.a")), "cannot be a directory"
    ),
)

SPECIAL = (
    Hostile("device 0:0", lambda _: archive(entry(b"x", CHARACTER)), "device 0:0"),
    Hostile(
        "a disk of the host",
        lambda _: archive(entry(b"x", BLOCK, device=(8, 0), mode=0o666)),
        shows=(("x", "b"),),
        needs_root=True,
    ),
    Hostile(
        "a device Linux has not",
        lambda _: archive(entry(b"x", BLOCK, device=(1 << 40, 0))),
        "does not have",
    ),
    Hostile(
        "a minor Linux has not",
        lambda _: archive(entry(b"x", BLOCK, device=(8, 1 << 20))),
        "does not have",
    ),
    Hostile(
        "a negative device", lambda _: archive(entry(b"x", BLOCK, device=(-8, 0))), "not negative"
    ),
    Hostile(
        "below a FIFO", lambda _: archive(entry(b"f", FIFO), entry(b"f/x")), "cannot be a directory"
    ),
    Hostile(
        "a FIFO, then a file",
        lambda _: archive(entry(b"f", FIFO), entry(b"f", content=b"in")),
        shows=(("f", "f:in"),),
    ),
    Hostile(
        "a FIFO with content",
        lambda _: archive(entry(b"f", FIFO, size=512), entry(b"x")),
        shows=(("f", "p"), ("x", "f:")),
    ),
    Hostile("a type nobody knows", lambda _: archive(entry(b"x", b"Z")), "unknown type"),
    Hostile("a socket, as some wrote it", lambda _: archive(entry(b"x", b"s")), "unknown type"),
    Hostile("a continued volume", lambda _: archive(entry(b"x", b"M")), "unknown type"),
    Hostile(
        "below a device",
        lambda _: archive(entry(b"x", CHARACTER, device=(1, 3)), entry(b"x/y")),
        "cannot be a directory",
        needs_root=True,
    ),
    Hostile(
        "every type under one name",
        lambda c: archive(
            entry(b"x", content=b"1"),
            directory(b"x"),
            entry(b"x/y", content=b"2"),
            symlink(b"x", c),
            entry(b"x", FIFO),
            entry(b"x", content=b"last"),
        ),
        shows=(("x", "f:last"),),
    ),
    Hostile(
        "a file, then below it",
        lambda _: archive(entry(b"x"), entry(b"x/y")),
        "cannot be a directory",
    ),
    Hostile(
        "a long symlink name",
        lambda _: archive(gnu_long(b"n" * 300), entry(b"x", SYMLINK, linkname=b"a")),
        "name too long",
    ),
    Hostile(
        "a directory twice",
        lambda _: archive(entry(b"d", DIRECTORY, mode=0), entry(b"d/x"), directory(b"d", 0o700)),
        shows=(("d/x", "f:"),),
    ),
)
