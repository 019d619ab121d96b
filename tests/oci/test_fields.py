import pytest

from oci.document import InvalidDocument
from oci.fields import Fields


def test_a_field_is_refused_with_its_path_and_what_was_found() -> None:
    fields = Fields({"a": {"b": [1]}})
    inner = fields.nested("a")

    assert inner is not None
    with pytest.raises(InvalidDocument, match=r"a\.b: found an array, expected a string"):
        inner.string("b")
    with pytest.raises(InvalidDocument, match=r"a\.b\[0\]: found a whole number"):
        inner.strings("b")
