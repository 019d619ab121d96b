"""Schemas: closed objects, whose required members they have."""

import pytest

from registry.api.management.schemas import SCHEMAS

OBJECTS = {name: schema for name, schema in SCHEMAS.items() if name != "OpenAPI"}


@pytest.mark.parametrize("name", OBJECTS)
def test_an_object_has_no_other_members_than_those_that_it_names(name: str) -> None:
    schema = OBJECTS[name]

    assert schema["additionalProperties"] is False
    assert set(schema["required"]) <= schema["properties"].keys()


@pytest.mark.parametrize("name", OBJECTS)
def test_only_a_body_or_the_answer_to_minting_has_a_secret(name: str) -> None:
    has_secret = {"secret", "password", "hash"} & OBJECTS[name]["properties"].keys()

    assert bool(has_secret) == (name in ("MintedToken", "UserBody", "UserPatch"))
