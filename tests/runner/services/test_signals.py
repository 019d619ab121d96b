import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import BadRequest
from runner.services.signals import parse_signal


@pytest.mark.parametrize("one", list(signal.Signals))
def test_every_signal_is_known_by_name_and_number(one: signal.Signals) -> None:
    spellings = [one.name, one.name.removeprefix("SIG"), one.name.lower(), str(int(one))]

    assert {parse_signal(text) for text in spellings} == {int(one)}


@pytest.mark.parametrize(
    ("text", "number"), [("SIGRTMIN+3", 37), ("RTMAX-1", 63), ("RTMIN", 34), ("RTMAX", 64)]
)
def test_real_time_signals_are_counted_from_either_end(text: str, number: int) -> None:
    assert parse_signal(text) == number


@pytest.mark.parametrize(
    "text", ["", "0", "65", "-9", "+9", "9 ", "٩", "SIG", "SIGFOO", "RTMIN+31", "RTMIN-1", "9\n"]
)
def test_text_without_a_signal_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="invalid signal"):
        parse_signal(text)


@given(st.text(max_size=10))
def test_any_text_is_a_signal_or_is_refused(text: str) -> None:
    try:
        assert 1 <= parse_signal(text) <= 64
    except BadRequest as refusal:
        assert "expected a name such as SIGTERM" in str(refusal)
