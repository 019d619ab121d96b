"""Pattern: the names that it matches, and the patterns that match a name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci.reference import MAX_NAME
from registry.auth.patterns import MAX_LENGTH, MAX_USER_DEPTH, Pattern, matching

# Few words, of which one is the start of others, so that names and patterns often meet.
WORDS = ("ann", "an", "a", "a-b", "a0", "bob")
names = st.lists(st.sampled_from(WORDS), min_size=1, max_size=10).map("/".join)
users = st.sampled_from(WORDS)


@st.composite
def pattern_texts(draw: st.DrawFn) -> str:
    parts = draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=10))
    if draw(st.booleans()) and len(parts) <= MAX_USER_DEPTH:
        parts[draw(st.integers(0, len(parts) - 1))] = "{user}"
    return draw(st.sampled_from(["/".join(parts), "/".join([*parts, "*"]), "*"]))


patterns = pattern_texts().map(Pattern.parse)
without_user = patterns.filter(lambda pattern: not pattern.has_user)


def is_match(pattern: str, name: str, user: str | None) -> bool:
    """The oracle: component by component, and ``*`` takes one or more at the end."""
    if pattern == "*":
        return True
    wanted = [user if part == "{user}" else part for part in pattern.split("/")]
    found: list[str | None] = [*name.split("/")]
    if wanted[-1] == "*":
        wanted.pop()
        return len(found) > len(wanted) and found[: len(wanted)] == wanted
    return found == wanted


@given(patterns, names, st.none() | users)
def test_a_pattern_matches_component_by_component(
    pattern: Pattern, name: str, user: str | None
) -> None:
    assert pattern.matches(name, user) is is_match(str(pattern), name, user)


@given(patterns, names, st.none() | users)
def test_the_patterns_of_a_name_are_exactly_those_that_match(
    pattern: Pattern, name: str, user: str | None
) -> None:
    found = matching(name, user)

    assert (str(pattern) in found) is pattern.matches(name, user)


@given(names, st.none() | users)
def test_each_pattern_of_a_name_can_be_granted_and_stands_once(name: str, user: str | None) -> None:
    found = matching(name, user)

    assert len(set(found)) == len(found)
    for text in found:
        assert Pattern.parse(text).matches(name, user)


@pytest.mark.parametrize(
    ("name", "user", "expected"),
    [
        ("app", None, ["app", "*"]),
        ("a/b/c", None, ["a/b/c", "a/b/*", "a/*", "*"]),
        ("ann", "ann", ["ann", "{user}", "*"]),
        ("ann/app", "ann", ["ann/app", "ann/*", "{user}/app", "{user}/*", "*"]),
        ("annex/app", "ann", ["annex/app", "annex/*", "*"]),
        ("a/ann", "ann", ["a/ann", "a/*", "a/{user}", "*"]),
    ],
)
def test_the_patterns_of_a_name_are_listed(
    name: str, user: str | None, expected: list[str]
) -> None:
    assert list(matching(name, user)) == expected


def test_a_name_of_the_most_components_has_its_users_whole_name() -> None:
    parts = ["a"] * (MAX_USER_DEPTH - 1)

    assert "/".join([*parts, "{user}"]) in matching("/".join([*parts, "ann"]), "ann")
    assert "/".join(["{user}", *parts]) in matching("/".join(["ann", *parts]), "ann")


def test_even_the_deepest_name_has_few_patterns() -> None:
    deepest = "/".join("a" * 128)

    found = matching(deepest, "a")

    assert len(deepest) == MAX_NAME
    assert len(found) == 129 + sum(range(1, MAX_USER_DEPTH + 1))


@given(without_user, names)
def test_the_bounds_have_the_names_that_match(pattern: Pattern, name: str) -> None:
    low, high = pattern.bounds

    assert (low.encode() <= name.encode() < high.encode()) is pattern.matches(name)


@given(patterns.filter(lambda pattern: pattern.has_user), names)
def test_the_bounds_of_a_pattern_for_each_user_have_no_name(pattern: Pattern, name: str) -> None:
    low, high = pattern.bounds

    assert not low <= name < high
    assert not pattern.matches(name)


@given(without_user, without_user, names)
def test_a_pattern_within_another_matches_nothing_else(
    one: Pattern, other: Pattern, name: str
) -> None:
    if one.is_within(other) and one.matches(name):
        assert other.matches(name)


@given(without_user, without_user)
def test_a_pattern_is_within_another_exactly_by_its_bounds(one: Pattern, other: Pattern) -> None:
    (low, high), (other_low, other_high) = one.bounds, other.bounds

    assert one.is_within(other) is (other_low <= low and high <= other_high)


@pytest.mark.parametrize(
    ("one", "other", "is_within"),
    [
        ("team/app", "team/*", True),
        ("team/app/*", "team/*", True),
        ("team", "team/*", False),
        ("team2/app", "team/*", False),
        ("team2/*", "team/*", False),
        ("*", "team/*", False),
        ("team/*", "*", True),
        ("team/*", "team/app", False),
        ("home/{user}/*", "home/*", True),
        ("home/*", "home/{user}/*", False),
    ],
)
def test_a_prefix_holds_whole_components(one: str, other: str, is_within: bool) -> None:
    assert Pattern.parse(one).is_within(Pattern.parse(other)) is is_within


@given(patterns, patterns, users)
def test_a_pattern_within_another_is_so_for_each_user(
    one: Pattern, other: Pattern, user: str
) -> None:
    if one.is_within(other):
        assert one.for_user(user).is_within(other.for_user(user))


@given(patterns, users, names)
def test_a_pattern_for_one_user_matches_as_for_that_user(
    pattern: Pattern, user: str, name: str
) -> None:
    own = pattern.for_user(user)

    assert not own.has_user
    assert own.matches(name) is pattern.matches(name, user)


def test_a_users_name_is_put_in_as_it_is() -> None:
    assert str(Pattern.parse("{user}/*").for_user(r"\g<0>")) == r"\g<0>/*"


@pytest.mark.parametrize(
    "text",
    [
        *("*", "app", "team/app", "team/*", "a/b/c/*", "{user}", "{user}/*", "home/{user}"),
        *("home/{user}/*", "home/{user}/app", "a" * MAX_LENGTH, "a" * (MAX_LENGTH - 2) + "/*"),
        "a/a/a/a/a/a/a/{user}/*",
    ],
)
def test_a_pattern_is_read(text: str) -> None:
    assert str(Pattern.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "/", "/*", "/team", "/team/*", "team/", "team//*", "Team/*", "TEAM"),
        *("**", "*/*", "*/app", "team/*/app", "team*", "team/a*", "team/**", "*team", "team/*/*"),
        *("home/x{user}", "home/{user}x/*", "{user}-x", "{user}{user}", "{user}/{user}"),
        *("{user}/{user}/*", "{User}", "{name}/*", "{", "}", "{}", "{user", "user}", "{ user }"),
        *("team/../app", "team/app\n", "team/*\n", "{user}\n", " team", "team/\u0430pp", "a:b"),
        *("a" * (MAX_LENGTH + 1), "a" * (MAX_LENGTH - 1) + "/*", "[a]", "a?", "!a", "a,b"),
        *("a/a/a/a/a/a/a/a/{user}", "{user}/a/a/a/a/a/a/a/a", "a/a/a/a/a/a/a/a/{user}/*"),
    ],
)
def test_any_other_text_is_refused_with_what_is_expected(text: str) -> None:
    with pytest.raises(ValueError, match="expected a repository's name, a prefix such as team"):
        Pattern.parse(text)


@given(st.text(max_size=10) | st.text("a/*{user}", max_size=12))
def test_any_text_is_refused_or_matches_some_name(text: str) -> None:
    try:
        pattern = Pattern.parse(text)
    except ValueError:
        return

    assert str(pattern) == text
    own = str(pattern.for_user("ann"))
    assert pattern.matches(own.replace("*", "app"), "ann")


def test_in_1_a_long_text_is_refused_in_a_short_message() -> None:
    with pytest.raises(ValueError, match="expected a repository's name") as caught:
        Pattern.parse("{user}/" * 100_000)

    assert len(str(caught.value)) < 400
