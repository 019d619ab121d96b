"""Glob: the tags that it matches, by fnmatch as an oracle, and the texts that are none."""

import itertools
from fnmatch import fnmatchcase
from typing import SupportsIndex

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from oci.errors import OCIError
from oci.reference import MAX_TAG, Tag
from registry.auth.globs import MAX_LENGTH, Glob

tags = st.from_regex(r"[a-cA-C0-2_][a-cA-C0-2_.-]{0,8}", fullmatch=True)
pieces = st.sampled_from(
    ["*", "?", "a", "B", "1", "_", ".", "-", "[ab]", "[!ab]", "[a-c]", "[!A-C]", "[0-2_]", "[.-]"]
)
texts = st.lists(pieces, min_size=1, max_size=8).map("".join)


class CountedTag(str):
    """A tag that counts how often a character of it is looked at."""

    __slots__ = ("reads",)

    def __getitem__(self, key: SupportsIndex | slice) -> str:
        self.reads = getattr(self, "reads", 0) + 1
        return super().__getitem__(key)


def parsed(text: str) -> Glob | None:
    try:
        return Glob.parse(text)
    except ValueError:
        return None


def is_tag(text: str) -> bool:
    try:
        Tag.parse(text)
    except OCIError:
        return False
    return True


@given(texts, tags)
def test_a_glob_matches_as_fnmatch_does(text: str, tag: str) -> None:
    glob = parsed(text)
    assume(glob is not None)
    assert glob is not None

    assert glob.matches(tag) is fnmatchcase(tag, text)


def test_every_short_glob_matches_as_fnmatch_does_and_matches_a_tag() -> None:
    strings = ["".join(each) for n in range(1, 5) for each in itertools.product("ab.-", repeat=n)]
    tags = [text for text in strings if is_tag(text)]
    accepted = 0

    for length in range(1, 5):
        for text in map("".join, itertools.product("a-*?[]!", repeat=length)):
            expected = [tag for tag in tags if fnmatchcase(tag, text)]
            glob = parsed(text)
            if glob is None:
                assert not expected or set("[]!") & set(text), text
            else:
                assert [tag for tag in tags if glob.matches(tag)] == expected != [], text
                accepted += 1

    assert accepted > 250


@pytest.mark.parametrize(
    ("text", "matched", "others"),
    [
        ("v1.2", ["v1.2"], ["v1x2", "V1.2", "v1.2.0", "xv1.2"]),
        ("v*", ["v", "v1", "v1.2-rc.1"], ["", "rv1", "V1"]),
        ("*-rc*", ["a-rc", "1.0-rc.2"], ["rc", "1.0-r"]),
        ("v?", ["v1", "v."], ["v", "v12"]),
        ("v[0-9]*", ["v1", "v1.2"], ["v", "vx", "v.1"]),
        ("[!v]*", ["a", "1v"], ["v", "v1", ""]),
        ("[a-c-e]", ["a", "c", "-", "e"], ["d"]),
        ("x[-a]", ["x-", "xa"], ["xb"]),
        ("x[a-]", ["x-", "xa"], ["xb"]),
        ("x[a!]", ["xa"], ["x!", "xb"]),
        ("*", ["a", "latest"], []),
        ("**a**", ["a", "bab"], ["b"]),
    ],
)
def test_a_glob_matches_whole_tags(text: str, matched: list[str], others: list[str]) -> None:
    glob = Glob.parse(text)

    assert [tag for tag in (*matched, *others) if glob.matches(tag)] == matched


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "a tag's characters and"),
        ("a b", "a tag's characters and"),
        ("a\n", "a tag's characters and"),
        ("a/b", "a tag's characters and"),
        ("{a,b}", "a tag's characters and"),
        ("a\\*", "a tag's characters and"),
        ("\u0430", "a tag's characters and"),
        ("a" * (MAX_LENGTH + 1), "at most 128"),
        ("[", "a ] after each"),
        ("[a", "a ] after each"),
        ("a[]", "a ] after each"),
        ("[]a]", "a ] after each"),
        ("a]", "] only within"),
        ("!a", "! only within"),
        ("a!", "! only within"),
        ("[!]", "a character in each"),
        ("[*]", "a character in each"),
        ("[!a-zA-Z0-9_.-]", "a character in each"),
        ("[c-a]", "a-c in its order"),
        ("-a", "the first character of a tag"),
        (".*", "the first character of a tag"),
        ("[.-]a", "the first character of a tag"),
    ],
)
def test_a_text_that_is_none_is_refused_with_what_is_expected(text: str, expected: str) -> None:
    with pytest.raises(ValueError, match="glob is ") as caught:
        Glob.parse(text)

    assert expected in str(caught.value)


@given(st.text(max_size=8) | st.text("ab-[]!*?.", max_size=12) | st.text("*a[", min_size=120))
def test_any_text_is_refused_or_round_trips(text: str) -> None:
    glob = parsed(text)

    if glob is not None:
        assert str(glob) == text
        assert Glob.parse(str(glob)) == glob
        assert glob.matches("a" * MAX_TAG) in (True, False)


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("*a" * 63 + "*b", "a" * 128),
        ("a*" * 63 + "b", "a" * 128),
        ("*" + "a" * 63 + "b", "a" * 128),
        ("*" * 127 + "b", "a" * 128),
        ("*" + "?" * 100 + "b", "a" * 128),
        ("[ab]*" * 25 + "c", "ab" * 64),
    ],
    ids=["stars first", "stars last", "one star", "stars only", "question marks", "classes"],
)
def test_ds_3_the_worst_glob_looks_at_each_character_once_for_each_part(
    text: str, tag: str
) -> None:
    counted = CountedTag(tag)

    assert not Glob.parse(text).matches(counted)

    assert 0 < counted.reads <= len(text) * len(tag)
