"""Findings name the rule that is broken, by its id in docs/rules.md and in words."""

import re
from pathlib import Path

import pytest

import registry.integrity.checks
from registry.integrity.findings import INVARIANTS, Finding
from registry.storage.metadata.integrity import checks as queries

ROOT = Path(__file__).parents[3]
RULES = (ROOT / "docs" / "rules.md").read_text()


@pytest.mark.parametrize("invariant", INVARIANTS)
def test_a_finding_has_the_words_of_its_rule_beside_the_id(invariant: str) -> None:
    document = Finding(invariant, "blob", "no file", "a file").to_json()

    assert document["invariant"] == invariant
    assert document["rule"] == INVARIANTS[invariant]


@pytest.mark.parametrize("invariant", INVARIANTS)
def test_each_rule_of_fsck_is_defined_on_the_page_of_rules(invariant: str) -> None:
    assert f"\n| {invariant} | " in RULES


def test_each_id_that_the_checks_use_has_words() -> None:
    sources = [Path(module.__file__ or "") for module in (registry.integrity.checks, queries)]
    used = {found for source in sources for found in re.findall('"(I[0-9]+)"', source.read_text())}

    assert len(used) > 5
    assert used <= INVARIANTS.keys()
