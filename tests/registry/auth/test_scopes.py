"""Scopes: docker's grammar, repeated and space-joined parameters, and what a scope allows.

https://distribution.github.io/distribution/spec/auth/scope/#resource-scope-grammar
"""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.auth import scopes as module
from registry.auth.scopes import (
    MAX_SCOPE_LENGTH,
    MAX_SCOPES,
    Scope,
    format_scopes,
    parse_scopes,
)

# The rules of the grammar, each as it stands there.
TYPE_VALUE = r"[a-z0-9]{1,8}"
HOST_COMPONENT = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]{0,3}[a-zA-Z0-9])"
HOSTNAME = rf"{HOST_COMPONENT}(?:\.{HOST_COMPONENT}){{0,2}}(?::[0-9]{{1,5}})?"
COMPONENT = r"[a-z0-9]{1,3}(?:(?:[_.]|__|-{1,3})[a-z0-9]{1,3}){0,2}"
NAME = rf"(?:{HOSTNAME}/)?{COMPONENT}(?:/{COMPONENT}){{0,2}}"

types = st.from_regex(TYPE_VALUE, fullmatch=True)
names = st.from_regex(NAME, fullmatch=True)
actions = st.lists(st.from_regex(r"[a-z]{1,6}|\*", fullmatch=True), max_size=4, unique=True)
scopes = st.builds(Scope, types, names, actions.map(tuple))
few_scopes = st.builds(
    Scope,
    st.sampled_from(["repository", "registry"]),
    st.sampled_from(["a", "a/b", "catalog", "a:5000/b"]),
    st.lists(st.sampled_from(["pull", "push", "delete", "*"]), max_size=3, unique=True).map(tuple),
)


@given(scopes)
def test_every_scope_of_the_grammar_round_trips(scope: Scope) -> None:
    assert Scope.parse(str(scope)) == scope


@given(scopes, types)
def test_a_resource_class_is_ignored(scope: Scope, kind: str) -> None:
    text = f"{scope.type}({kind}):{scope.name}:{','.join(scope.actions)}"

    assert Scope.parse(text) == scope


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("repository:samalba/my-app:pull,push", ("repository", "samalba/my-app", "pull", "push")),
        ("repository:host:5000/name:pull", ("repository", "host:5000/name", "pull")),
        ("repository:Host.example:443/a/b:*", ("repository", "Host.example:443/a/b", "*")),
        ("repository(plugin):a:pull", ("repository", "a", "pull")),
        ("registry:catalog:*", ("registry", "catalog", "*")),
        ("repository:a:", ("repository", "a")),
        ("repository:a:,pull,,pull,", ("repository", "a", "pull")),
        ("repository:a:push,pull", ("repository", "a", "push", "pull")),
        ("repository:a:b:pull", ("repository", "a:b", "pull")),
        ("0:a:x", ("0", "a", "x")),
    ],
)
def test_the_name_is_between_the_first_colon_and_the_last(
    text: str, expected: tuple[str, ...]
) -> None:
    kind, name, *parts = expected

    assert Scope.parse(text) == Scope(kind, name, tuple(parts))


@pytest.mark.parametrize(
    "text",
    [
        *("", ":", "::", ":::", "repository", "repository:a", "repository::pull", ":a:pull"),
        *("Repository:a:pull", "repository-x:a:pull", "repository():a:pull", "repository(A):a:*"),
        *("repository(a)(b):a:pull", "(plugin):a:pull", "repository(plugin:a:pull", "*:a:pull"),
        *("repository:a:Pull", "repository:a:pull push", "repository:a:pull1", "repository:a:**"),
        *(
            "repository:a:pull\n",
            "repository\n:a:pull",
            "repository:a\n:pull",
            "repository: a:pull",
        ),
        *("repository:*:pull", "repository:a*:pull", 'repository:a":pull', "repository:a,b:pull"),
        *("r\u0435pository:a:pull", "repository:\u0430:pull", "repository:a:p\u0443ll"),
        *("repository:a\u00a0b:pull", "repository:a:pull\u0661", "repository:\ud800:pull"),
    ],
)
def test_a_text_outside_of_the_grammar_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected TYPE:NAME:ACTION"):
        Scope.parse(text)

    # Another space, which is not between two scopes.
    assert parse_scopes([text.replace(" ", "\u2003")]) == ()


def test_repeated_and_joined_parameters_are_the_same() -> None:
    texts = ["repository:a:pull", "repository:b:push,pull", "registry:catalog:*"]

    repeated = parse_scopes(texts)

    assert [str(scope) for scope in repeated] == texts
    assert parse_scopes([" ".join(texts)]) == repeated
    assert parse_scopes([f"  {'   '.join(texts)} "]) == repeated
    assert parse_scopes([texts[0], f"{texts[1]} {texts[2]}"]) == repeated


def test_actions_on_one_resource_are_joined() -> None:
    found = parse_scopes(
        ["repository:a:pull registry:a:x", "repository(plugin):a:push,pull", "repository:a:"]
    )

    assert [str(scope) for scope in found] == ["repository:a:pull,push", "registry:a:x"]


def test_scopes_that_are_not_understood_are_left_out() -> None:
    found = parse_scopes(["no repository:a:pull repository:b:PULL", "", " ", "repository:c:push"])

    assert [str(scope) for scope in found] == ["repository:a:pull", "repository:c:push"]


def test_only_a_space_is_between_two_scopes() -> None:
    for between in "\t\n\r\x0b\x0c\x1c\x85\u00a0\u2028,;+":
        assert parse_scopes([f"repository:a:pull{between}repository:b:pull"]) == ()


@given(st.lists(few_scopes, max_size=8))
def test_az_9_a_list_of_scopes_allows_exactly_what_one_of_them_does(asked: list[Scope]) -> None:
    found = parse_scopes([format_scopes(asked)])

    for type in ("repository", "registry"):
        for name in ("a", "a/b", "a/b/c", "b", "catalog", "A", "a:5000/b", ""):
            for action in ("pull", "push", "delete", "*", ""):
                expected = any(
                    (each.type, each.name) == (type, name) and action in each.actions
                    for each in asked
                )
                assert any(each.allows(type, name, action) for each in found) is expected


def test_az_9_a_star_is_one_action_and_not_all() -> None:
    assert not Scope("repository", "a", ("*",)).allows("repository", "a", "pull")


@given(st.lists(few_scopes, max_size=8))
def test_parsed_scopes_round_trip(asked: list[Scope]) -> None:
    found = parse_scopes(map(str, asked))

    assert parse_scopes([format_scopes(found)]) == found
    assert len({(each.type, each.name) for each in found}) == len(found)


@given(st.lists(st.text(max_size=20) | st.text("repository:a ,*()\n", max_size=30), max_size=4))
def test_any_text_is_parsed_without_raising(texts: list[str]) -> None:
    for scope in parse_scopes(texts):
        assert Scope.parse(str(scope)) == scope
        assert " " not in str(scope)


def test_no_more_resources_are_taken_than_the_most() -> None:
    texts = [f"repository:a{number}:pull" for number in range(MAX_SCOPES + 1)]

    found = parse_scopes([*texts, "repository:a0:push", "repository:last:pull"])

    assert [str(scope) for scope in found] == ["repository:a0:pull,push", *texts[1:MAX_SCOPES]]


def test_a_scope_that_is_too_long_is_left_out() -> None:
    longest = f"repository:{'a' * (MAX_SCOPE_LENGTH - len('repository::pull'))}:pull"

    assert [str(scope) for scope in parse_scopes([longest])] == [longest]
    assert parse_scopes([f"repository:a{longest.removeprefix('repository:')}"]) == ()


def test_many_parts_on_one_resource_are_made_one_scope_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = []

    class Counted(Scope):
        def __init__(self, type: str, name: str, actions: tuple[str, ...]) -> None:
            made.append(len(actions))
            super().__init__(type, name, actions)

    monkeypatch.setattr(module, "Scope", Counted)
    letters = "abcdefghijklmnopqrst"
    words = [f"{one}{two}" for one in letters for two in letters]

    (found,) = parse_scopes([" ".join(f"repository:a:{word}" for word in words)])

    assert list(found.actions) == words
    # Each part once, with its one action, and then the whole.
    assert sum(made) == 2 * len(words)


def test_a_scope_is_a_value() -> None:
    scope = Scope.parse("repository:a:pull")

    with pytest.raises(dataclasses.FrozenInstanceError):
        scope.name = "b"  # type: ignore[misc]
    assert {scope, Scope("repository", "a", ("pull",))} == {scope}
