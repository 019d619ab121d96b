"""htpasswd files: bcrypt is taken, all else is refused by its line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.auth.htpasswd import HtpasswdEntry, is_bcrypt, parse_htpasswd

HASH = "$2y$05$" + "a" * 53


def test_users_and_hashes_are_read_and_comments_are_not() -> None:
    found = parse_htpasswd(f"# team\n\nada:{HASH}\n  bob:{HASH}  \n")

    assert found.entries == (HtpasswdEntry("ada", HASH), HtpasswdEntry("bob", HASH))
    assert found.problems == ()


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("ada:$apr1$x$y", "line 2: the password of ada is no bcrypt hash"),
        ("ada:{SHA}x", "no bcrypt hash"),
        ("ada:", "no bcrypt hash"),
        ("ada", "no bcrypt hash"),
        ("ada:$2y$31$" + "a" * 53, "of cost 4 to 14"),
        (f"Ada:{HASH}", "name is 'Ada'"),
        (f"owner:{HASH}", "name owner is reserved"),
        (f"bob:{HASH}", "bob is there twice"),
    ],
)
def test_a_line_that_has_no_user_is_named_and_the_others_count(line: str, problem: str) -> None:
    found = parse_htpasswd(f"bob:{HASH}\n{line}\n")

    assert [entry.name for entry in found.entries] == ["bob"]
    assert len(found.problems) == 1
    assert problem in found.problems[0]
    assert "aaaa" not in found.problems[0]


@given(st.text(max_size=80))
def test_any_text_is_entries_and_problems(text: str) -> None:
    found = parse_htpasswd(text)

    assert all(is_bcrypt(entry.hash) for entry in found.entries)
