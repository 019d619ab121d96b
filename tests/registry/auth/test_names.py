"""PrincipalName: one namespace of users, robots and groups."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci.reference import RepositoryName
from registry.auth.names import MAX_LENGTH, RESERVED, PrincipalName

WORD = frozenset(string.ascii_lowercase + string.digits)


def is_name(text: str) -> bool:
    """The grammar, in other words: letters and digits, with single marks between two of them."""
    marks = [place for place, character in enumerate(text) if character in "._-"]
    return (
        0 < len(text) <= MAX_LENGTH
        and set(text) <= WORD | set("._-")
        and all(0 < place < len(text) - 1 for place in marks)
        and all(text[place + 1] in WORD for place in marks)
        and text not in RESERVED
    )


@pytest.mark.parametrize("text", ["a", "0", "ada", "ci-app", "a.b_c-d", "1-2", "a" * MAX_LENGTH])
def test_a_name_is_read(text: str) -> None:
    assert str(PrincipalName.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "-a", "a-", ".a", "a.", "a__b", "a--b", "a..b", "a-_b", "A", "aD", "a b", "a/b"),
        *("a\n", "\na", "a\0", "a:b", "a@b", "*", "{user}", "a" * (MAX_LENGTH + 1)),
        *("\u0430da", "ad\u00e4", "a\u0661", "a\uff11", "a\u200b", "\ud800"),
    ],
)
def test_any_other_text_is_refused_with_the_grammar(text: str) -> None:
    with pytest.raises(ValueError, match="expected a-z and 0-9 joined by single"):
        PrincipalName.parse(text)


@pytest.mark.parametrize("text", sorted(RESERVED))
def test_a_name_that_stands_for_something_is_reserved(text: str) -> None:
    with pytest.raises(ValueError, match=f"name {text} is reserved"):
        PrincipalName.parse(text)


@given(st.text(max_size=8) | st.text("ab1._-", max_size=8) | st.text("a-", min_size=60))
def test_a_text_is_a_name_exactly_by_the_grammar(text: str) -> None:
    try:
        found = PrincipalName.parse(text)
    except ValueError:
        assert not is_name(text)
    else:
        assert is_name(text)
        assert str(found) == text


@given(st.text("ab1._-", min_size=1, max_size=8).filter(is_name))
def test_a_name_is_a_component_of_a_repository(text: str) -> None:
    assert str(RepositoryName.parse(f"home/{text}/app")) == f"home/{text}/app"


def test_in_1_a_long_text_is_refused_in_a_short_message() -> None:
    with pytest.raises(ValueError, match="at most 63 characters") as caught:
        PrincipalName.parse("a-" * 1_000_000)

    assert len(str(caught.value)) < 300
