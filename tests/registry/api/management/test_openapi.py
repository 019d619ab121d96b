"""OpenAPI: every row of the table is in the document, and every reference leads somewhere."""

import json
import re

import pytest

from registry.api.management.endpoint import Endpoint
from registry.api.management.endpoints import ENDPOINTS
from registry.api.management.openapi import openapi
from registry.api.management.schemas import SCHEMAS
from tests.support.registry.managed import Managed

DOCUMENT = openapi(ENDPOINTS)


@pytest.mark.parametrize("row", ENDPOINTS, ids=lambda row: f"{row.method} {row.path}")
def test_every_row_is_an_operation_with_all_that_it_takes_and_answers(row: Endpoint) -> None:
    operation = DOCUMENT["paths"][row.path][row.method.lower()]

    assert {int(status) for status in operation["responses"]} == set(row.statuses)
    assert ("requestBody" in operation) == bool(row.body)
    assert bool(operation["security"]) == (row.needs != "nothing")
    in_path = [each["name"] for each in operation["parameters"] if each["in"] == "path"]
    in_query = [each["name"] for each in operation["parameters"] if each["in"] == "query"]
    assert in_path == re.findall(r"\{(\w+)\}", row.path)
    assert in_query == [each.name for each in row.query]


def test_there_is_no_operation_beside_the_rows() -> None:
    operations = [id for path in DOCUMENT["paths"].values() for id in path]
    ids = [
        operation["operationId"]
        for path in DOCUMENT["paths"].values()
        for operation in path.values()
    ]

    assert len(operations) == len(ENDPOINTS)
    assert len(set(ids)) == len(ids)


def test_each_reference_leads_to_a_schema_and_each_schema_is_used() -> None:
    found = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(DOCUMENT)))

    assert found == set(SCHEMAS)


async def test_anybody_may_read_the_document(managed: Managed) -> None:
    answer = await managed.call("GET", "/openapi.json")

    assert answer.json() == json.loads(json.dumps(DOCUMENT))
    assert answer.json()["openapi"].startswith("3.1.")


async def test_the_names_of_schemas_tell_nothing_of_this_registry(managed: Managed) -> None:
    await managed.opened.user("secret-name", "admin secret/*")

    assert "secret-name" not in (await managed.call("GET", "/openapi.json")).text
