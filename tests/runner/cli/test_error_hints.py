"""Complaints: what is wrong, and what to try."""

import pytest

from runner.cli.error_hints import HINTS, error_message, lower_first


def test_a_sentence_after_a_colon_begins_small_and_a_name_stays() -> None:
    assert lower_first("No such container: Web") == "no such container: Web"
    assert lower_first("OCI runtime failed") == "OCI runtime failed"


def test_hints_are_found_by_small_letters() -> None:
    assert all(words == words.lower() for words, _ in HINTS)


@pytest.mark.parametrize(
    ("message", "verb", "told"),
    [
        ("No such container: x", "", "Error: no such container: x\nTry 'runner ps --all'.\n"),
        ("several\n lines", "", "Error: several lines\n"),
        (
            "r.test refused to log in: 401 UNAUTHORIZED: no",
            "login",
            "Error: r.test refused to log in: 401 UNAUTHORIZED: no\n"
            "Are the user name and the password right?\n",
        ),
        (
            "r.test refused to pull r.test/x: 401 UNAUTHORIZED: no",
            "pull",
            "Error: r.test refused to pull r.test/x: 401 UNAUTHORIZED: no\n"
            "Try 'runner login' with the registry's name.\n",
        ),
    ],
)
def test_a_complaint_says_what_to_try(message: str, verb: str, told: str) -> None:
    assert error_message(message, verb) == told


def test_a_hint_that_is_known_is_not_looked_for() -> None:
    assert error_message("no such image", hint="") == "Error: no such image\n"
