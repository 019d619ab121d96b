"""The commands on grants and locks."""

from typing import Any

import pytest

from oci.errors import OCIError
from oci.reference import Tag
from registry.admin.open_registry import OpenRegistry
from registry.errors import Absent, Invalid, TagLocked
from tests.registry.admin.conftest import repository, told
from tests.support.images import an_image
from tests.support.registry.storage import push_image


@pytest.fixture(autouse=True)
async def ada(opened: OpenRegistry) -> None:
    await told(opened, "user add", name="ada")


async def test_a_grant_is_given_replaced_listed_and_taken(opened: OpenRegistry) -> None:
    given = {"who": "ada", "pattern": "team/*"}

    [first] = await told(opened, "grant add", **given, role="pull")
    [second] = await told(opened, "grant add", **given, role="push")
    [listed] = await told(opened, "grant list")
    [removed] = await told(opened, "grant remove", **given)

    assert first == {**given, "role": "pull", "before": None}
    assert second == {**given, "role": "push", "before": "pull"}
    assert (listed["who"], listed["kind"], listed["created_by"]) == ("ada", "user", "operator")
    assert removed == {**given, "role": "push"}
    assert await told(opened, "grant list") == []


async def test_a_decision_is_explained_step_by_step(opened: OpenRegistry) -> None:
    asked = {"who": "ada", "action": "push", "name": "team/app", "tag": "v1"}
    refused = await told(opened, "grant explain", **asked)
    await told(opened, "grant add", who="ada", role="push", pattern="*")

    allowed = await told(opened, "grant explain", **asked)

    assert [step["passed"] for step in refused] == [True, True, False]
    assert refused[-1]["text"] == "ada holds no role, expected push on team/app"
    assert [step["step"] for step in allowed] == ["identity", "credential", "grants", "tag"]
    assert all(step["passed"] for step in allowed)


async def test_a_lock_is_added_replaced_listed_and_removed(opened: OpenRegistry) -> None:
    given = {"name": "releases", "repository": "team/*", "tags": "v*"}

    [first] = await told(opened, "lock add", **given)
    [second] = await told(opened, "lock add", **given)
    [listed] = await told(opened, "lock list")
    await told(opened, "lock remove", name="releases")

    assert (first["is_new"], second["is_new"]) == (True, False)
    assert {key: listed[key] for key in given} == given
    assert await told(opened, "lock list") == []


async def test_a_repository_with_a_locked_tag_is_not_deleted(opened: OpenRegistry) -> None:
    await push_image(repository(opened, "team/app"), an_image(), Tag("v1"))
    await told(opened, "lock add", name="releases", repository="team/*", tags="v*")

    with pytest.raises(TagLocked, match=r"tag v1 exists and lock releases \(v\*\) holds it"):
        await told(opened, "repo delete", name="team/app")

    assert await told(opened, "repo list") == [{"name": "team/app"}]
    await told(opened, "lock remove", name="releases")
    await told(opened, "repo delete", name="team/app")


@pytest.mark.parametrize(
    ("command", "arguments", "error", "text"),
    [
        ("grant add", {"who": "ada", "role": "write", "pattern": "a"}, Invalid, "expected one of"),
        ("grant add", {"who": "ada", "role": "pull", "pattern": "/a"}, Invalid, "pattern is"),
        ("grant add", {"who": "bob", "role": "pull", "pattern": "a"}, Absent, "bob"),
        ("grant remove", {"who": "ada", "pattern": "A"}, Invalid, "pattern is"),
        ("grant remove", {"who": "ada", "pattern": "a"}, Absent, "ada has no grant on a"),
        ("grant list", {"who": "bob"}, Absent, "bob"),
        ("grant explain", {"who": "ada", "action": "sing", "name": "a"}, Invalid, "expected one"),
        ("grant explain", {"who": "bob", "action": "pull", "name": "a"}, Absent, "bob"),
        ("grant explain", {"who": "ada", "action": "pull", "name": "A"}, OCIError, "A"),
        ("lock add", {"name": "a", "repository": "*", "tags": "["}, Invalid, "glob is"),
        ("lock add", {"name": "a", "repository": "", "tags": "v*"}, Invalid, "pattern is"),
        ("lock add", {"name": "A", "repository": "*", "tags": "v*"}, Invalid, "name is"),
        ("lock remove", {"name": "a"}, Absent, "there is no lock a"),
    ],
)
async def test_a_refusal_says_what_was_found_and_expected(
    opened: OpenRegistry, command: str, arguments: dict[str, Any], error: Any, text: str
) -> None:
    with pytest.raises(error, match=text):
        await told(opened, command, **arguments)
