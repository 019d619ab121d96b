import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci.document import MAX_VALUES, InvalidDocument, json_type, parse_document

integers = st.integers(-(2**63) + 1, 2**63 - 1)
texts = st.text(st.characters(codec="utf-8"), max_size=6)
values = st.recursive(
    st.none() | st.booleans() | integers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(texts, values, max_size=4), st.booleans())
def test_a_document_survives_the_wire(document: dict[str, object], ascii_only: bool) -> None:
    content = json.dumps(document, ensure_ascii=ascii_only).encode()

    assert parse_document(content) == document


@given(st.binary(max_size=40))
def test_any_bytes_are_a_document_or_are_refused(content: bytes) -> None:
    try:
        assert isinstance(parse_document(content), dict)
    except InvalidDocument as refusal:
        assert str(refusal)


def test_kinds_have_words() -> None:
    values: list[object] = [{}, [], "", 1, 1.5, True, None]

    words = [json_type(value) for value in values]

    assert words[:3] == ["an object", "an array", "a string"]
    assert words[3:] == ["a whole number", "a number", "a boolean", "null"]


@pytest.mark.parametrize(
    "unit", [b"[]", b"{}", b'{"":0}', b"1.5", b'"aa"', b"[" * 900 + b"]" * 900]
)
def test_a_document_of_nothing_but_structure_is_refused_unread(unit: bytes) -> None:
    content = b'{"x":[' + b",".join([unit] * (4 * 1024 * 1024 // (len(unit) + 1))) + b"]}"

    with pytest.raises(InvalidDocument, match=f"more than {MAX_VALUES} commas"):
        parse_document(content)


def test_a_long_text_is_no_structure() -> None:
    content = json.dumps({"x": "y" * 4_000_000}).encode()

    assert len(str(parse_document(content)["x"])) == 4_000_000
