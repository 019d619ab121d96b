import pytest

from runner.errors import Conflict, NotModified
from runner.services.containers.lifecycle import TRANSITIONS, Operation, State, next_state, refusal

ID, NAME = "f" * 64, "web"

# Answers of the Engine API: the state that follows, 304, or 409.
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


def rows() -> list[tuple[Operation, State, str]]:
    header, *lines = (line.split() for line in EXPECTED.strip().splitlines())
    return [
        (Operation(operation), State(state), expected)
        for operation, *cells in lines
        for state, expected in zip(header, cells, strict=True)
    ]


@pytest.mark.parametrize(("operation", "state", "expected"), rows())
def test_every_verb_in_every_state(operation: Operation, state: State, expected: str) -> None:
    if expected in ("304", "409"):
        with pytest.raises(NotModified if expected == "304" else Conflict) as refused:
            next_state(state, operation, ID, NAME)
        assert NAME in str(refused.value) or ID in str(refused.value) or state == State.PAUSED
    else:
        assert next_state(state, operation, ID, NAME) is State(expected)


def test_the_table_has_a_row_for_every_state() -> None:
    assert set(TRANSITIONS) == set(State)
    assert {operation for row in TRANSITIONS.values() for operation in row} == set(Operation)


def test_every_refusal_is_a_sentence() -> None:
    for state in State:
        for operation in Operation:
            text = str(refusal(state, operation, ID, NAME))
            assert "{" not in text
            assert text[0].islower()
