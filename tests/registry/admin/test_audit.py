"""The commands on the audit."""

from typing import Any

import pytest

from registry.admin.open_registry import OpenRegistry
from registry.errors import Invalid
from registry.services.operator.audit import ChainMismatch
from tests.registry.admin.conftest import told


@pytest.fixture(autouse=True)
async def ada(opened: OpenRegistry) -> None:
    await told(opened, "user add", name="ada")


async def test_rows_are_listed_exported_and_verified(opened: OpenRegistry) -> None:
    await told(opened, "group add", name="web")

    [listed] = await told(opened, "audit list")
    [chosen] = await told(opened, "audit list", action="group.*", who="operator", limit=1)
    [exported] = await told(opened, "audit export", since_ms=60_000)
    [verified] = await told(opened, "audit verify", head=exported["rows"][0]["hash"])

    assert [row["action"] for row in listed["rows"]] == ["group.add", "user.add"]
    assert chosen["rows"] == listed["rows"][:1]
    assert [row["target"] for row in exported["rows"]] == ["ada", "web"]
    assert verified == {"rows": 2, "head": listed["rows"][0]["hash"], "begins_after": ""}


@pytest.mark.parametrize(
    ("command", "arguments", "error", "text"),
    [
        ("audit list", {"action": "["}, Invalid, "glob is"),
        ("audit list", {"repository": "A"}, Invalid, "pattern is"),
        ("audit verify", {"head": "A"}, Invalid, "the head is no hash"),
        ("audit verify", {"head": "a" * 64}, ChainMismatch, "none of 1 rows has hash a"),
    ],
)
async def test_a_refusal_says_what_was_found_and_expected(
    opened: OpenRegistry, command: str, arguments: dict[str, Any], error: Any, text: str
) -> None:
    with pytest.raises(error, match=text):
        await told(opened, command, **arguments)
