"""The search itself, on histories that have an explanation and on histories that have none."""

from itertools import permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.campaigns.linearizability import FOREVER, Step, is_linearizable


def test_a_read_may_see_either_side_of_a_write_it_overlaps() -> None:
    write = Step(1, 4, "write", "a")

    assert is_linearizable([write, Step(2, 3, "read", None)])
    assert is_linearizable([write, Step(2, 3, "read", "a")])


def test_a_read_that_begins_after_a_write_sees_it() -> None:
    write = Step(1, 2, "write", "a")

    assert not is_linearizable([write, Step(3, 4, "read", None)])


def test_two_reads_do_not_see_a_write_and_then_not() -> None:
    write = Step(1, 9, "write", "a")

    assert is_linearizable([write, Step(2, 3, "read", None), Step(4, 5, "read", "a")])
    assert not is_linearizable([write, Step(2, 3, "read", "a"), Step(4, 5, "read", None)])


def test_a_write_that_was_answered_is_not_lost() -> None:
    writes = [Step(1, 2, "write", "a"), Step(3, 4, "write", "b")]

    assert not is_linearizable([*writes, Step(5, 6, "read", "a")])


def test_a_write_that_was_not_answered_may_have_happened_or_not() -> None:
    unknown = [Step(1, 2, "write", "a"), Step(3, 5, "write", "b", sure=False)]

    assert is_linearizable([*unknown, Step(6, 7, "read", "a")])
    assert is_linearizable([*unknown, Step(6, 7, "read", "b")])


def test_a_write_that_was_not_answered_does_not_happen_after_its_end() -> None:
    unknown = [Step(1, 2, "write", "a"), Step(3, 5, "write", "b", sure=False)]
    reads = [Step(6, 7, "read", "a"), Step(8, 9, "read", "b")]

    assert not is_linearizable([*unknown, *reads])
    assert is_linearizable([unknown[0], Step(3, FOREVER, "write", "b", sure=False), *reads])


def test_a_delete_says_whether_something_was_there() -> None:
    assert is_linearizable([Step(1, 2, "write", "a"), Step(3, 4, "delete")])
    assert not is_linearizable([Step(1, 2, "write", "a"), Step(3, 4, "delete", missed=True)])
    assert not is_linearizable([Step(1, 2, "delete")])


def steps() -> st.SearchStrategy[Step]:
    moment = st.integers(0, 12)

    def step(begun: int, length: int, kind: str, value: str, sure: bool, none: bool) -> Step:
        end = begun + 1 + length
        if kind == "write":
            return Step(begun, end, "write", value, sure)
        if kind == "delete":
            return Step(begun, end, "delete", None, sure, missed=none and sure)
        return Step(begun, end, "read", None if none else value)

    kind = st.sampled_from(["write", "read", "delete"])
    boolean = st.booleans()
    return st.builds(step, moment, st.integers(0, 6), kind, st.sampled_from("ab"), boolean, boolean)


def explained_by_some_order(history: list[Step]) -> bool:
    """The definition, word for word."""
    sure = [step for step in history if step.sure]
    unsure = [step for step in history if not step.sure]
    for mask in range(1 << len(unsure)):
        chosen = sure + [step for number, step in enumerate(unsure) if mask >> number & 1]
        if any(explains(order) for order in permutations(chosen)):
            return True
    return False


def explains(order: tuple[Step, ...]) -> bool:
    state = None
    for number, step in enumerate(order):
        if any(later.ended < step.begun for later in order[number + 1 :]) or not step.fits(state):
            return False
        state = step.after(state)
    return True


@given(st.lists(steps(), max_size=6))
@settings(max_examples=400, deadline=None)
def test_the_search_agrees_with_the_definition(history: list[Step]) -> None:
    assert is_linearizable(history) == explained_by_some_order(history)
