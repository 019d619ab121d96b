import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import BadRequest, Conflict
from runner.services.names import check_container_name, check_name, generate_name, new_id


@given(st.text(alphabet="aZ0_.-/\n \0é", max_size=8))
def test_any_name_is_safe_in_a_path_or_is_refused(text: str) -> None:
    try:
        name = check_name(text)
    except BadRequest as refusal:
        assert "invalid container name" in str(refusal)
    else:
        assert name == text
        assert "/" not in name
        assert name[0].isalnum()
        assert name.isascii()


@pytest.mark.parametrize("name", ["", "a", "-a", ".a", "a b", "a/b", "a\n", "..", "a" * 254])
def test_a_bad_name_is_refused(name: str) -> None:
    with pytest.raises(BadRequest, match="expected a letter or digit"):
        check_name(name)


def test_text_that_looks_like_an_id_is_no_name() -> None:
    with pytest.raises(BadRequest, match="64 hex characters are an ID"):
        check_container_name("a" * 64)
    assert check_container_name("a" * 63) == "a" * 63


def test_made_up_names_are_valid_and_free() -> None:
    taken: set[str] = set()

    for _ in range(500):
        name = generate_name(taken.__contains__)
        assert check_container_name(name) not in taken
        taken.add(name)


def test_when_every_name_is_taken_one_must_be_given() -> None:
    with pytest.raises(Conflict, match="give one with --name"):
        generate_name(lambda _: True)


def test_a_short_id_is_not_a_number() -> None:
    for _ in range(1000):
        identifier = new_id()
        assert len(identifier) == 64
        assert not identifier[:12].isdigit()
