import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci.layer import EntryKind, EntryName, InvalidLayer

ADDED, WHITEOUT = EntryKind.ADDED, EntryKind.WHITEOUT
OPAQUE, IGNORED = EntryKind.OPAQUE, EntryKind.IGNORED


@pytest.mark.parametrize(
    ("name", "kind", "path"),
    [
        ("./", ADDED, ""),
        ("/", ADDED, ""),
        ("./etc/passwd", ADDED, "etc/passwd"),
        ("/etc//passwd/", ADDED, "etc/passwd"),
        ("a/.wh.file2", WHITEOUT, "a/file2"),
        (".wh.b", WHITEOUT, "b"),
        (".wh....", WHITEOUT, "..."),
        ("bin/.wh..wh..opq", OPAQUE, "bin"),
        (".wh..wh..opq", OPAQUE, ""),
        (".wh..wh.plnk/x", IGNORED, ".wh..wh.plnk/x"),
        (".wh..wh.aufs", IGNORED, ".wh..wh.aufs"),
        ("a.wh.b", ADDED, "a.wh.b"),
    ],
)
def test_a_name_says_what_to_do_and_where(name: str, kind: EntryKind, path: str) -> None:
    entry = EntryName.parse(name)

    assert (entry.kind, entry.path) == (kind, path)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("../etc/passwd", "climbs with '..'"),
        ("a/../../b", "climbs with '..'"),
        ("/..", "climbs with '..'"),
        ("a/.wh.", "is a whiteout of nothing"),
        (".wh..", "is a whiteout of nothing"),
        ("a/.wh...", "is a whiteout of nothing"),
        (".wh.a/b", "lies below a whiteout"),
        (".wh..wh..opq/b", "lies below a whiteout"),
        ("a\0b", "contains a NUL character"),
        ("a/" * 2049, "4098 characters, over 4096"),
        ("a" * 256, "a part over 255 characters"),
    ],
)
def test_a_bad_name_is_refused_with_a_reason(name: str, expected: str) -> None:
    with pytest.raises(InvalidLayer, match=re.escape(expected)):
        EntryName.parse(name)


@given(st.text(alphabet="a./.wh\0opq", max_size=30))
def test_any_name_stays_below_the_root_or_is_refused(name: str) -> None:
    try:
        entry = EntryName.parse(name)
    except InvalidLayer as refusal:
        assert str(refusal).startswith("entry ")
    else:
        assert all(part not in ("", ".", "..") and "/" not in part for part in entry.parts)


@given(st.lists(st.text(alphabet="ab.", min_size=1, max_size=4), max_size=4))
def test_an_added_path_survives_the_wire(parts: list[str]) -> None:
    parts = [f"x{part}" for part in parts]

    assert EntryName.parse("./" + "/".join(parts)) == EntryName(ADDED, tuple(parts))
