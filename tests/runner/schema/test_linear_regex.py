"""Expressions match as Python's do, in linear time; what has no syntax here is refused."""

import re
from typing import SupportsIndex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.schema.linear_regex import MAX_LENGTH, InvalidRegex, LinearRegex

MATCHED = [
    "",
    "web",
    "^web$",
    "w.b",
    "^w(eb|ob)$",
    "a*b+c?",
    "(ab)*",
    "(?:ab)+$",
    "a{2}",
    "a{2,}",
    "^a{1,3}$",
    "^a{0}$",
    "(a|b){2}c",
    "[abc]",
    "[^abc]",
    "[a-c]+$",
    "[]a]",
    "[^]a]",
    "[a-]",
    r"[\d.]+",
    r"\d+\.\d",
    r"\w-\W",
    r"\s|\S",
    "a|",
    "|a",
    "x*?y",
    "^$",
    "a^b",
    "a{x}",
    "{",
    "(a*)*b",
    "/web-[0-9]+",
]
TEXTS = ["", "a", "b", "ab", "aab", "abc", "web", "wob", "/web-12", "]", "-", "1.2", "a-!", "a{x}"]


@pytest.mark.parametrize("text", MATCHED)
def test_an_expression_finds_what_pythons_finds(text: str) -> None:
    compiled, theirs = LinearRegex.compile(text), re.compile(text, re.ASCII)

    found = [each for each in TEXTS if compiled.search(each)]

    assert found == [each for each in TEXTS if theirs.search(each)]


simple = st.recursive(
    st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\w", "^", "$"]),
    lambda inner: st.one_of(
        st.builds("{}{}".format, inner, inner),
        st.builds("(?:{}|{})".format, inner, inner),
        st.builds("(?:{}){}".format, inner, st.sampled_from(["*", "+", "?", "{2}", "{0,2}"])),
    ),
    max_leaves=6,
)


@given(simple, st.text("ab-", max_size=8))
def test_any_expression_of_these_parts_finds_what_pythons_finds(text: str, given: str) -> None:
    try:
        compiled = LinearRegex.compile(text)
    except InvalidRegex as error:
        assert "states" in str(error)  # counted repetitions of one another
        return

    assert compiled.search(given) == (re.search(text, given, re.ASCII) is not None)


@given(st.text(max_size=40))
def test_any_text_is_an_expression_or_refused(text: str) -> None:
    try:
        compiled = LinearRegex.compile(text)
    except InvalidRegex:
        return

    compiled.search("web-1")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a)", r"a \) without its \("),
        ("(a", r"a \( without its \)"),
        ("[a", r"a \[ without its \]"),
        ("*a", r"\* repeats nothing"),
        ("a**", r"\* repeats nothing"),
        ("a{3,2}", "the lesser number first"),
        ("[b-a]", "the lesser character first"),
        (r"(a)\1", r"\\1 means nothing here"),
        ("(?=a)", "begins no group"),
        ("(?P<n>a)", "begins no group"),
        ("a\\", "ends in the middle"),
        ("(" * 60 + ")" * 60, "at most 50 deep"),
        ("((a{99}){99}){99}", "too many repetitions"),
        ("a" * (MAX_LENGTH + 1), "257 characters, expected at most 256"),
    ],
)
def test_what_cannot_be_matched_in_linear_time_or_at_all_is_refused(
    text: str, problem: str
) -> None:
    with pytest.raises(InvalidRegex, match=problem):
        LinearRegex.compile(text)


def test_ds_3_nested_repetitions_take_steps_in_proportion_to_the_text() -> None:
    """Each character is tested at most once by each state: Python takes 2^n steps here."""
    tested = 0
    compiled = LinearRegex.compile("^(a+)+$")

    class Counted(str):
        __slots__ = ()

        def __getitem__(self, place: SupportsIndex | slice) -> str:
            nonlocal tested
            tested += 1
            return str.__getitem__(self, place)

    text = Counted("a" * 1000 + "!")

    assert not compiled.search(text)
    assert tested < 20 * len(text)
