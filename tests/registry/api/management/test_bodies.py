"""Bodies: strict JSON, and all that a schema does not allow."""

import json
from typing import Any

import pytest

from registry.api.management.bodies import MAX_PROBLEMS, parse_body, problems_of
from registry.api.management.problems import BodyInvalid
from registry.errors import Invalid


def test_a_body_is_the_object_that_was_sent() -> None:
    body = {"label": "laptop", "expires_in": 60, "limits": [{"role": "pull", "pattern": "a/*"}]}

    assert parse_body(json.dumps(body).encode(), "TokenBody") == body


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no JSON"),
        (b"{'label': 1}", "no JSON"),
        (b'{"label": "a", "label": "b"}', "'label' twice"),
        (b'{"label": NaN}', "NaN"),
        (b'{"label": "\xff"}', "no UTF-8"),
        (b"[" * 60_000, "nested too deeply"),
        (b'{"expires_in": ' + b"9" * 5000 + b"}", "too many digits"),
        (b"\xef\xbb\xbf{}", "no JSON"),
    ],
)
def test_a_body_that_is_no_strict_json_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(Invalid, match=message):
        parse_body(content, "TokenBody")


@pytest.mark.parametrize(
    ("value", "pointer", "detail"),
    [
        ([], "", "found array, expected object"),
        (None, "", "found null, expected object"),
        ({"lable": "x"}, "", "unknown member 'lable', expected one of label, limits, expires_in"),
        ({"label": 1}, "/label", "found integer, expected string"),
        ({"label": "x" * 101}, "/label", "found 101 characters, expected at most 100"),
        ({"label": "\ud800"}, "/label", "surrogate"),
        ({"expires_in": True}, "/expires_in", "found boolean, expected integer"),
        ({"expires_in": 1.0}, "/expires_in", "found number, expected integer"),
        ({"expires_in": 0}, "/expires_in", "found 0, expected 1 to 315360000"),
        ({"expires_in": 315360001}, "/expires_in", "found 315360001"),
        ({"limits": []}, "/limits", "found 0 items"),
        ({"limits": [{"role": "pull"}]}, "/limits/0/pattern", "found nothing"),
        (
            {"limits": [{"role": "owner", "pattern": "a"}]},
            "/limits/0/role",
            "found 'owner', expected one of pull, create, push, maintain, admin",
        ),
    ],
)
def test_each_fault_is_told_with_its_place(value: Any, pointer: str, detail: str) -> None:
    with pytest.raises(BodyInvalid) as refused:
        parse_body(json.dumps(value).encode(), "TokenBody")

    (problem,) = refused.value.problems
    assert problem.pointer == pointer
    assert detail in problem.detail


def test_all_faults_are_told_together_up_to_a_limit() -> None:
    two = {"label": 1, "expires_in": 0}
    many = {str(number): 0 for number in range(100)}

    for value, count in ((two, 2), (many, MAX_PROBLEMS)):
        with pytest.raises(BodyInvalid) as refused:
            parse_body(json.dumps(value).encode(), "TokenBody")
        assert len(refused.value.problems) == count


def test_a_value_may_be_of_one_of_several_schemas() -> None:
    schema = {"anyOf": [{"type": "integer"}, {"type": "null"}]}

    assert problems_of(None, schema) == problems_of(3, schema) == []
    assert len(problems_of("x", schema)) == 1
