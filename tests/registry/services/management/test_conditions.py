"""Conditions: all four kinds against something and nothing; and revisions."""

import pytest

from registry.errors import ConditionFailed
from registry.services.management.conditions import ANY, Conditions, revision_of


@pytest.mark.parametrize(
    ("conditions", "of_nothing", "of_three"),
    [
        (ANY, True, True),
        (Conditions(is_new=True), True, False),
        (Conditions(exists=True), False, True),
        (Conditions(revisions=frozenset({"3", "4"})), False, True),
        (Conditions(revisions=frozenset({"4"})), False, False),
        (Conditions(revisions=frozenset()), False, False),
    ],
)
def test_a_condition_holds_or_fails(
    conditions: Conditions, of_nothing: bool, of_three: bool
) -> None:
    for revision, holds in ((None, of_nothing), ("3", of_three)):
        if holds:
            conditions.check(revision)
        else:
            with pytest.raises(ConditionFailed, match="expected"):
                conditions.check(revision)


def test_a_revision_is_the_version_with_the_rows_that_belong_to_it_in_any_order() -> None:
    assert revision_of(3) == "3"
    assert revision_of(3, ["a", "b"]) == revision_of(3, ["b", "a"])
    assert len({revision_of(3), revision_of(3, ["a"]), revision_of(3, ["b"])}) == 3
    assert revision_of(3, ["a"]) != revision_of(4, ["a"])
