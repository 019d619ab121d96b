"""Error codes, and values in the messages of errors."""

import pytest

from oci.errors import ErrorCode, OCIError, quoted


class Refused(OCIError):
    code = ErrorCode.DENIED


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a", "'a'"),
        ("", "''"),
        ("ü", "'ü'"),
        ("a\x1b[31m\n", r"'a\x1b[31m\n'"),
        ("\u202e", r"'\u202e'"),
        ("x" * 80, f"'{'x' * 80}'"),
        ("x" * 81, f"'{'x' * 79}…'"),
    ],
)
def test_a_value_is_quoted_within_a_line_and_a_length(text: str, said: str) -> None:
    assert quoted(text) == said


def test_an_error_has_the_status_of_its_code_unless_it_has_its_own() -> None:
    error = Refused("not you", detail={"name": "app"})

    assert (error.code.status, error.status) == (403, None)
    assert (str(error), error.detail) == ("not you", {"name": "app"})


def test_every_code_is_an_error_of_the_client_and_has_a_message() -> None:
    assert all(400 <= code.status < 500 and code.message for code in ErrorCode)
