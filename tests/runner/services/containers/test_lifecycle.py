import pytest

from runner.errors import Conflict, NotModified
from runner.services.containers.lifecycle import TRANSITIONS, State, Verb, after, refusal

ID, NAME = "f" * 64, "web"

# What the Engine API answers: the state that follows, 304, or 409.
EXPECTED = """
             created   running   paused    exited    removing
    start    running   304       409       running   409
    stop     304       exited    exited    304       409
    kill     409       running   paused    409       409
    pause    409       paused    409       409       409
    unpause  409       409       running   409       409
    remove   removing  409       409       removing  409
    exec     409       running   409       409       409
    resize   409       running   paused    409       409
"""


def rows() -> list[tuple[Verb, State, str]]:
    header, *lines = (line.split() for line in EXPECTED.strip().splitlines())
    return [
        (Verb(verb), State(state), expected)
        for verb, *cells in lines
        for state, expected in zip(header, cells, strict=True)
    ]


@pytest.mark.parametrize(("verb", "state", "expected"), rows())
def test_every_verb_in_every_state(verb: Verb, state: State, expected: str) -> None:
    if expected in ("304", "409"):
        with pytest.raises(NotModified if expected == "304" else Conflict) as refused:
            after(state, verb, ID, NAME)
        assert NAME in str(refused.value) or ID in str(refused.value) or state == State.PAUSED
    else:
        assert after(state, verb, ID, NAME) is State(expected)


def test_the_table_has_a_row_for_every_state() -> None:
    assert set(TRANSITIONS) == set(State)
    assert {verb for row in TRANSITIONS.values() for verb in row} == set(Verb)


def test_every_refusal_is_a_sentence() -> None:
    for state in State:
        for verb in Verb:
            text = str(refusal(state, verb, ID, NAME))
            assert "{" not in text
            assert text[0].islower()
