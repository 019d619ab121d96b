"""Complaints: what is wrong, and what to try."""

import pytest

from runner.cli.error_hints import HINTS, error_message, lower_first
from runner.errors import Kind


def test_a_sentence_after_a_colon_begins_small_and_a_name_stays() -> None:
    assert lower_first("No such container: Web") == "no such container: Web"
    assert lower_first("OCI runtime failed") == "OCI runtime failed"


# Kinds that only the command knows: a name that is nothing at all.
_OWN_KINDS = {"object-absent"}
# Told by an exit code.
_WITHOUT_HINT = {Kind.COMMAND_NOT_FOUND, Kind.COMMAND_NOT_EXECUTABLE}


def test_every_kind_of_refusal_has_its_hint_and_no_other_has() -> None:
    assert set(HINTS) - _OWN_KINDS == set(Kind) - _WITHOUT_HINT


@pytest.mark.parametrize(
    ("kind", "verb", "hint"),
    [
        ("container-absent", "", "Try 'runner ps --all'.\n"),
        ("", "", ""),
        ("a-newer-daemons", "", ""),
        ("unauthorized", "login", "Are the user name and the password right?\n"),
        ("unauthorized", "pull", "Try 'runner login' with this registry, or as another user.\n"),
    ],
)
def test_a_complaint_says_what_to_try(kind: str, verb: str, hint: str) -> None:
    assert error_message("What is\n wrong", verb, kind=kind) == f"Error: what is wrong\n{hint}"


def test_a_hint_that_is_known_is_not_looked_for() -> None:
    assert error_message("no such image", kind="image-absent", hint="") == "Error: no such image\n"
